//! The tree of a PromQL expression. Every node knows where in the text it stands.

use barograph_model::Matcher;

use super::Function;

/// Bytes of the query text, from `start` up to but not including `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct SourceSpan {
    /// The first byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// What an expression gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// One float a step.
    Scalar,
    /// Series with at most one sample a step: an instant vector.
    Vector,
    /// Series with the samples of a range: a range vector.
    Matrix,
    /// A text.
    String,
}

impl ValueType {
    /// The type in the answers of Prometheus' API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
            Self::String => "string",
        }
    }

    /// The type as Prometheus' documentation and errors call it.
    #[must_use]
    pub fn documented(self) -> &'static str {
        match self {
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            other => other.as_str(),
        }
    }
}

/// A node of the tree.
#[derive(Debug, Clone)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: SourceSpan,
}

/// The kinds of nodes.
#[derive(Debug, Clone)]
pub enum ExprKind {
    /// `3.14`, `5m`
    Number(Number),
    /// `"text"`, unescaped
    String(String),
    /// `up{job="a"} offset 5m`
    Vector(VectorSelector),
    /// `up[5m]`
    Matrix(MatrixSelector),
    /// `expr[1h:5m]`
    Subquery(Box<Subquery>),
    /// `rate(...)`
    Call(Call),
    /// `sum by (job) (...)`
    Aggregate(Box<Aggregate>),
    /// `a + b`
    Binary(Box<Binary>),
    /// `-a`, `+a`
    Unary {
        /// Whether the sign is minus.
        negate: bool,
        /// What it stands before.
        expr: Box<Expr>,
    },
    /// `(a)`
    Paren(Box<Expr>),
}

/// A number as it was written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number {
    /// Its value; of a duration, seconds.
    pub value: f64,
    /// Whether it was written as a duration, `5m`.
    pub is_duration: bool,
}

/// Which instant a selector or subquery looks at instead of the step's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Milliseconds since the epoch.
    Timestamp(i64),
    /// `@ start()`: the first step of the query.
    Start,
    /// `@ end()`: its last.
    End,
}

/// `offset` and `@` of a selector or subquery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Modifiers {
    /// How far back from the instant, in milliseconds; negative looks ahead.
    pub offset_ms: i64,
    /// The instant, where it is not the step's own.
    pub at: Option<At>,
}

/// `anchored` and `smoothed` of Prometheus 3.7: samples beyond the edges of a range take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Widening {
    /// The last sample before the range stands at its start.
    Anchored,
    /// Values at both edges are interpolated.
    Smoothed,
}

/// An instant selector.
#[derive(Debug, Clone)]
pub struct VectorSelector {
    /// The metric's name where it stands before the braces; it is among the matchers too.
    pub metric: Option<String>,
    /// All conditions, those on `__name__` among them.
    pub matchers: Vec<Matcher>,
    /// `offset` and `@`.
    pub modifiers: Modifiers,
    /// `anchored` or `smoothed`.
    pub widening: Option<Widening>,
}

/// A selector with a range.
#[derive(Debug, Clone)]
pub struct MatrixSelector {
    /// Which series; its modifiers are those behind the range.
    pub vector: VectorSelector,
    /// Where the selector without its range stands.
    pub vector_span: SourceSpan,
    /// How far back it reaches, in milliseconds; above 0.
    pub range_ms: i64,
}

/// An expression evaluated over a range of steps.
#[derive(Debug, Clone)]
pub struct Subquery {
    /// What is evaluated.
    pub expr: Expr,
    /// How far back it reaches, in milliseconds; above 0.
    pub range_ms: i64,
    /// Its step in milliseconds; absent means the evaluation interval.
    pub step_ms: Option<i64>,
    /// `offset` and `@`.
    pub modifiers: Modifiers,
}

/// A function and its arguments, as many as the function takes.
#[derive(Debug, Clone)]
pub struct Call {
    /// The function.
    pub function: &'static Function,
    /// What it is called with.
    pub args: Vec<Expr>,
}

/// The aggregations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum AggregateOp {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    CountValues,
    Quantile,
    Limitk,
    LimitRatio,
}

impl AggregateOp {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Sum,
        Self::Avg,
        Self::Count,
        Self::Min,
        Self::Max,
        Self::Group,
        Self::Stddev,
        Self::Stdvar,
        Self::Topk,
        Self::Bottomk,
        Self::CountValues,
        Self::Quantile,
        Self::Limitk,
        Self::LimitRatio,
    ];

    /// The operator as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Count => "count",
            Self::Min => "min",
            Self::Max => "max",
            Self::Group => "group",
            Self::Stddev => "stddev",
            Self::Stdvar => "stdvar",
            Self::Topk => "topk",
            Self::Bottomk => "bottomk",
            Self::CountValues => "count_values",
            Self::Quantile => "quantile",
            Self::Limitk => "limitk",
            Self::LimitRatio => "limit_ratio",
        }
    }

    /// The type of the parameter, where there is one.
    #[must_use]
    pub fn parameter(self) -> Option<ValueType> {
        match self {
            Self::Topk | Self::Bottomk | Self::Quantile | Self::Limitk | Self::LimitRatio => {
                Some(ValueType::Scalar)
            }
            Self::CountValues => Some(ValueType::String),
            _ => None,
        }
    }

    /// Whether it needs the flag for experimental functions.
    #[must_use]
    pub fn is_experimental(self) -> bool {
        matches!(self, Self::Limitk | Self::LimitRatio)
    }
}

/// An aggregation.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// Which.
    pub op: AggregateOp,
    /// Its parameter, exactly where [`AggregateOp::parameter`] names one.
    pub param: Option<Expr>,
    /// What is aggregated: an instant vector.
    pub expr: Expr,
    /// The labels of `by` or `without`.
    pub grouping: Vec<String>,
    /// Whether those labels go and the others stay.
    pub without: bool,
}

/// The binary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `</`: what is not above a value is left of a histogram.
    TrimUpper,
    /// `>/`: what is not below a value is left of a histogram.
    TrimLower,
    And,
    Or,
    Unless,
}

impl BinaryOp {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Add,
        Self::Sub,
        Self::Mul,
        Self::Div,
        Self::Mod,
        Self::Pow,
        Self::Atan2,
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::LessOrEqual,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::TrimUpper,
        Self::TrimLower,
        Self::And,
        Self::Or,
        Self::Unless,
    ];

    /// The operator as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::Mod => "%",
            Self::Pow => "^",
            Self::Atan2 => "atan2",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::TrimUpper => "</",
            Self::TrimLower => ">/",
            Self::And => "and",
            Self::Or => "or",
            Self::Unless => "unless",
        }
    }

    /// Whether it compares: without `bool` it filters.
    #[must_use]
    pub fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Less
                | Self::LessOrEqual
                | Self::Greater
                | Self::GreaterOrEqual
        )
    }

    /// Whether it cuts a histogram at a value: `</`, `>/`.
    #[must_use]
    pub fn is_trim(self) -> bool {
        matches!(self, Self::TrimUpper | Self::TrimLower)
    }

    /// Whether it works on sets of series: `and`, `or`, `unless`.
    #[must_use]
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// How tightly it binds; a larger number binds tighter.
    #[must_use]
    pub fn precedence(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And | Self::Unless => 2,
            Self::Equal
            | Self::NotEqual
            | Self::Less
            | Self::LessOrEqual
            | Self::Greater
            | Self::GreaterOrEqual
            | Self::TrimUpper
            | Self::TrimLower => 3,
            Self::Add | Self::Sub => 4,
            Self::Mul | Self::Div | Self::Mod | Self::Atan2 => 5,
            // The unary minus stands between, at 6.
            Self::Pow => 7,
        }
    }
}

/// An operator between two expressions.
#[derive(Debug, Clone)]
pub struct Binary {
    /// Which.
    pub op: BinaryOp,
    /// The left side.
    pub lhs: Expr,
    /// The right side.
    pub rhs: Expr,
    /// How series find each other; present exactly where both sides are vectors.
    pub matching: Option<VectorMatching>,
    /// Whether a comparison gives 0 or 1 instead of filtering.
    pub return_bool: bool,
}

/// How many series of each side may find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cardinality {
    /// One of each.
    OneToOne,
    /// `group_left`: many on the left.
    ManyToOne,
    /// `group_right`: many on the right.
    OneToMany,
    /// Set operators.
    ManyToMany,
}

/// How series of two vectors find each other.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorMatching {
    /// How many of each side.
    pub cardinality: Cardinality,
    /// The labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// Whether only those labels are compared, instead of all others.
    pub on: bool,
    /// Labels of the one side that the result takes over: those of `group_left` or `group_right`.
    pub include: Vec<String>,
    /// What stands in for a missing side.
    pub fill: Fill,
}

/// `fill`, `fill_left` and `fill_right`: values for series that find nobody.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fill {
    /// For a missing left side.
    pub left: Option<f64>,
    /// For a missing right side.
    pub right: Option<f64>,
}

impl Expr {
    /// What the expression gives.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match &self.kind {
            ExprKind::Number(_) => ValueType::Scalar,
            ExprKind::String(_) => ValueType::String,
            ExprKind::Vector(_) | ExprKind::Aggregate(_) => ValueType::Vector,
            ExprKind::Matrix(_) | ExprKind::Subquery(_) => ValueType::Matrix,
            ExprKind::Call(call) => call.function.returns,
            ExprKind::Unary { expr, .. } | ExprKind::Paren(expr) => expr.value_type(),
            ExprKind::Binary(binary) => {
                let scalars = |expr: &Expr| expr.value_type() == ValueType::Scalar;
                if scalars(&binary.lhs) && scalars(&binary.rhs) {
                    ValueType::Scalar
                } else {
                    ValueType::Vector
                }
            }
        }
    }

    /// The expression inside all parentheses around it.
    #[must_use]
    pub fn unwrap_parens(&self) -> &Self {
        let mut expr = self;
        while let ExprKind::Paren(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }
}
