//! The tree as Prometheus' `/api/v1/parse_query` shows it to its user interface.

use barograph_model::Matcher;
use serde_json::{Value, json};

use super::display::{plain_float, sign};
use super::{At, Binary, Call, Cardinality, Expr, ExprKind, Function, Modifiers, VectorSelector, Widening};

impl Expr {
    /// The tree with a `type` in each node; times are in milliseconds, numbers are texts.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.kind {
            ExprKind::Number(number) => json!({"type": "numberLiteral", "val": plain_float(number.value)}),
            ExprKind::String(text) => json!({"type": "stringLiteral", "val": text}),
            ExprKind::Vector(vector) => {
                let mut node = selector(vector);
                node["type"] = "vectorSelector".into();
                node
            }
            ExprKind::Matrix(matrix) => {
                let mut node = selector(&matrix.vector);
                node["type"] = "matrixSelector".into();
                node["range"] = matrix.range_ms.into();
                node
            }
            ExprKind::Subquery(subquery) => {
                let mut node = json!({
                    "type": "subquery",
                    "expr": subquery.expr.to_json(),
                    "range": subquery.range_ms,
                    "step": subquery.step_ms.unwrap_or(0),
                });
                add_modifiers(&mut node, &subquery.modifiers);
                node
            }
            ExprKind::Call(call) => call_node(call),
            ExprKind::Aggregate(aggregate) => json!({
                "type": "aggregation",
                "op": aggregate.op.as_str(),
                "expr": aggregate.expr.to_json(),
                "param": aggregate.param.as_ref().map(Self::to_json),
                "grouping": aggregate.grouping,
                "without": aggregate.without,
            }),
            ExprKind::Binary(binary) => binary_node(binary),
            ExprKind::Unary { negate, expr } => json!({
                "type": "unaryExpr",
                "op": sign(*negate).to_string(),
                "expr": expr.to_json(),
            }),
            ExprKind::Paren(expr) => json!({"type": "parenExpr", "expr": expr.to_json()}),
        }
    }
}

fn selector(vector: &VectorSelector) -> Value {
    let matcher = |matcher: &Matcher| {
        json!({
            "name": matcher.name(),
            "type": matcher.op().to_string(),
            "value": matcher.value(),
        })
    };
    let mut node = json!({
        "name": vector.metric.as_deref().unwrap_or_default(),
        "matchers": vector.matchers.iter().map(matcher).collect::<Vec<_>>(),
        "anchored": vector.widening == Some(Widening::Anchored),
        "smoothed": vector.widening == Some(Widening::Smoothed),
    });
    add_modifiers(&mut node, &vector.modifiers);
    node
}

fn add_modifiers(node: &mut Value, modifiers: &Modifiers) {
    let (timestamp, start_or_end) = match modifiers.at {
        Some(At::Timestamp(ms)) => (ms.into(), Value::Null),
        Some(At::Start) => (Value::Null, "start".into()),
        Some(At::End) => (Value::Null, "end".into()),
        None => (Value::Null, Value::Null),
    };
    node["offset"] = modifiers.offset_ms.into();
    node["timestamp"] = timestamp;
    node["startOrEnd"] = start_or_end;
}

fn call_node(call: &Call) -> Value {
    let arg_types = call.function.args.iter().map(|arg| arg.as_str());
    json!({
        "type": "call",
        "func": {
            "name": call.function.name,
            "argTypes": arg_types.collect::<Vec<_>>(),
            "variadic": variadic(call.function),
            "returnType": call.function.returns.as_str(),
        },
        "args": call.args.iter().map(Expr::to_json).collect::<Vec<_>>(),
    })
}

/// How often the last argument may be left out or repeated: 0 never, -1 as often as one likes.
fn variadic(function: &Function) -> i64 {
    let (min, max) = (function.arity.min, function.arity.max);
    match max {
        None => -1,
        Some(max) if max == min => 0,
        Some(max) => max as i64 - (function.args.len() as i64 - 1),
    }
}

fn binary_node(binary: &Binary) -> Value {
    let matching = binary.matching.as_ref().map(|matching| {
        json!({
            "card": match matching.cardinality {
                Cardinality::OneToOne => "one-to-one",
                Cardinality::ManyToOne => "many-to-one",
                Cardinality::OneToMany => "one-to-many",
                Cardinality::ManyToMany => "many-to-many",
            },
            "labels": matching.labels,
            "on": matching.on,
            "include": matching.include,
            "fillValues": {"lhs": matching.fill.left, "rhs": matching.fill.right},
        })
    });
    json!({
        "type": "binaryExpr",
        "op": binary.op.as_str(),
        "lhs": binary.lhs.to_json(),
        "rhs": binary.rhs.to_json(),
        "matching": matching,
        "bool": binary.return_bool,
    })
}
