//! No function, aggregation, operator or modifier without a script.

use std::collections::HashSet;

use super::script::expressions;
use super::scripts::NAMES;
use crate::syntax::{
    AggregateOp, At, BinaryOp, Cardinality, Expr, ExprKind, FunctionId, Modifiers, ParseOptions, Widening,
    functions, parse,
};

/// What the expressions of all scripts are made of.
#[derive(Default)]
struct Seen {
    functions: HashSet<FunctionId>,
    /// with the way of grouping: `None`, by, without
    aggregations: HashSet<(AggregateOp, Option<bool>)>,
    /// with the way of matching; `None` where a side is a scalar
    operators: HashSet<(BinaryOp, Option<Cardinality>)>,
    bools: HashSet<BinaryOp>,
    features: HashSet<&'static str>,
}

impl Seen {
    fn all() -> Self {
        let mut seen = Self::default();
        for name in NAMES {
            for text in expressions(name) {
                // Some scripts are about what does not parse.
                if let Ok(expr) = parse(&text, &ParseOptions::experimental()) {
                    seen.enter(&expr);
                }
            }
        }
        seen
    }

    fn enter(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Number(_) | ExprKind::String(_) => {}
            ExprKind::Vector(selector) => {
                self.modifiers(&selector.modifiers);
            }
            ExprKind::Matrix(selector) => {
                self.features.insert("range");
                self.modifiers(&selector.vector.modifiers);
                match selector.vector.widening {
                    Some(Widening::Anchored) => self.features.insert("anchored"),
                    Some(Widening::Smoothed) => self.features.insert("smoothed"),
                    None => true,
                };
            }
            ExprKind::Subquery(subquery) => {
                self.features.insert(if subquery.step_ms.is_some() {
                    "subquery"
                } else {
                    "subquery without step"
                });
                self.modifiers(&subquery.modifiers);
                self.enter(&subquery.expr);
            }
            ExprKind::Call(call) => {
                self.functions.insert(call.function.id);
                call.args.iter().for_each(|arg| self.enter(arg));
            }
            ExprKind::Aggregate(aggregate) => {
                let grouping = match (aggregate.without, aggregate.grouping.is_empty()) {
                    (true, _) => Some(true),
                    (false, true) => None,
                    (false, false) => Some(false),
                };
                self.aggregations.insert((aggregate.op, grouping));
                aggregate.param.iter().for_each(|param| self.enter(param));
                self.enter(&aggregate.expr);
            }
            ExprKind::Binary(binary) => {
                let matching = binary.matching.as_ref();
                self.operators
                    .insert((binary.op, matching.map(|matching| matching.cardinality)));
                if binary.return_bool {
                    self.bools.insert(binary.op);
                }
                if let Some(matching) = matching {
                    self.features.insert(if matching.on { "on" } else { "ignoring" });
                    self.features.extend(matching.fill.left.map(|_| "fill_left"));
                    self.features.extend(matching.fill.right.map(|_| "fill_right"));
                    self.features
                        .extend((!matching.include.is_empty()).then_some("include"));
                }
                self.enter(&binary.lhs);
                self.enter(&binary.rhs);
            }
            ExprKind::Unary { negate, expr } => {
                self.features.insert(if *negate { "-" } else { "+" });
                self.enter(expr);
            }
            ExprKind::Paren(expr) => self.enter(expr),
        }
    }

    fn modifiers(&mut self, modifiers: &Modifiers) {
        self.features.extend(match modifiers.offset_ms.signum() {
            0 => None,
            1 => Some("offset"),
            _ => Some("negative offset"),
        });
        self.features.extend(modifiers.at.map(|at| match at {
            At::Timestamp(_) => "@",
            At::Start => "@ start()",
            At::End => "@ end()",
        }));
    }
}

#[test]
fn every_function_has_a_script() {
    let seen = Seen::all();
    let missing = functions().filter(|function| !seen.functions.contains(&function.id));
    assert_eq!(missing.map(|function| function.name).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn every_aggregation_has_a_script_with_by_and_without_and_neither() {
    let seen = Seen::all();
    let wanted = AggregateOp::ALL
        .into_iter()
        .flat_map(|op| [None, Some(false), Some(true)].map(|how| (op, how)));
    let missing: Vec<_> = wanted
        .filter(|wanted| !seen.aggregations.contains(wanted))
        .collect();
    assert_eq!(missing, []);
}

#[test]
fn every_operator_has_a_script_with_every_way_of_matching() {
    let seen = Seen::all();
    let mut missing = Vec::new();
    for op in BinaryOp::ALL {
        let wanted: &[Option<Cardinality>] = if op.is_set() {
            &[Some(Cardinality::ManyToMany)]
        } else {
            &[
                None,
                Some(Cardinality::OneToOne),
                Some(Cardinality::ManyToOne),
                Some(Cardinality::OneToMany),
            ]
        };
        missing.extend(
            wanted
                .iter()
                .map(|how| (op, *how))
                .filter(|wanted| !seen.operators.contains(wanted)),
        );
    }
    assert_eq!(missing, []);
    let without_bool = BinaryOp::ALL
        .into_iter()
        .filter(|op| op.is_comparison() && !seen.bools.contains(op));
    assert_eq!(without_bool.collect::<Vec<_>>(), []);
}

#[test]
fn every_modifier_has_a_script() {
    let wanted = [
        "range",
        "subquery",
        "subquery without step",
        "offset",
        "negative offset",
        "@",
        "@ start()",
        "@ end()",
        "anchored",
        "smoothed",
        "on",
        "ignoring",
        "include",
        "fill_left",
        "fill_right",
        "-",
        "+",
    ];
    let seen = Seen::all();
    assert_eq!(
        wanted
            .into_iter()
            .filter(|what| !seen.features.contains(what))
            .collect::<Vec<_>>(),
        [""; 0]
    );
}
