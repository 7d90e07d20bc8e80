//! Every function of PromQL, with what it takes and what it gives.
//!
//! Source: Prometheus 3, "Query functions".

use super::ValueType;

/// How many arguments a function takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arity {
    /// At least so many.
    pub min: usize,
    /// At most so many; `None` means that the last argument may be repeated.
    pub max: Option<usize>,
}

/// A function: its name and its types.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Which.
    pub id: FunctionId,
    /// The name as it is written.
    pub name: &'static str,
    /// The types of its arguments, those that may be left out among them.
    pub args: &'static [ValueType],
    /// How many of them there must be.
    pub arity: Arity,
    /// What it gives.
    pub returns: ValueType,
    /// Whether it needs the flag for experimental functions.
    pub is_experimental: bool,
}

impl FunctionId {
    /// The name as it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        // The table has every function.
        FUNCTIONS
            .iter()
            .find(|function| function.id == self)
            .map_or("", |function| function.name)
    }
}

/// The function of a name; names are written in lower case.
#[must_use]
pub fn function(name: &str) -> Option<&'static Function> {
    let place = FUNCTIONS
        .binary_search_by(|function| function.name.cmp(name))
        .ok()?;
    Some(&FUNCTIONS[place])
}

/// All functions, sorted by name.
pub fn all() -> impl Iterator<Item = &'static Function> {
    FUNCTIONS.iter()
}

/// The functions, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum FunctionId {
    Abs,
    Absent,
    AbsentOverTime,
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    AvgOverTime,
    Ceil,
    Changes,
    Clamp,
    ClampMax,
    ClampMin,
    Cos,
    Cosh,
    CountOverTime,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    DaysInMonth,
    Deg,
    Delta,
    Deriv,
    DoubleExponentialSmoothing,
    End,
    Exp,
    FirstOverTime,
    Floor,
    HistogramAvg,
    HistogramCount,
    HistogramFraction,
    HistogramQuantile,
    HistogramQuantiles,
    HistogramStddev,
    HistogramStdvar,
    HistogramSum,
    Hour,
    Idelta,
    Increase,
    Info,
    Irate,
    LabelJoin,
    LabelReplace,
    LastOverTime,
    Ln,
    Log10,
    Log2,
    MadOverTime,
    MaxOverTime,
    MinOverTime,
    Minute,
    Month,
    Pi,
    PredictLinear,
    PresentOverTime,
    QuantileOverTime,
    Rad,
    Range,
    Rate,
    Resets,
    Round,
    Scalar,
    Sgn,
    Sin,
    Sinh,
    Sort,
    SortByLabel,
    SortByLabelDesc,
    SortDesc,
    Sqrt,
    Start,
    StddevOverTime,
    StdvarOverTime,
    Step,
    SumOverTime,
    Tan,
    Tanh,
    Time,
    Timestamp,
    TsOfFirstOverTime,
    TsOfLastOverTime,
    TsOfMaxOverTime,
    TsOfMinOverTime,
    Vector,
    Year,
}

const fn stable(
    id: FunctionId,
    name: &'static str,
    args: &'static [ValueType],
    arity: (usize, Option<usize>),
    returns: ValueType,
) -> Function {
    Function {
        id,
        name,
        args,
        arity: Arity {
            min: arity.0,
            max: arity.1,
        },
        returns,
        is_experimental: false,
    }
}

const fn experimental(
    id: FunctionId,
    name: &'static str,
    args: &'static [ValueType],
    arity: (usize, Option<usize>),
    returns: ValueType,
) -> Function {
    let mut function = stable(id, name, args, arity, returns);
    function.is_experimental = true;
    function
}

/// All functions, sorted by name.
static FUNCTIONS: &[Function] = {
    use FunctionId as F;
    use ValueType::{Matrix, Scalar, String, Vector};
    &[
        stable(F::Abs, "abs", &[Vector], (1, Some(1)), Vector),
        stable(F::Absent, "absent", &[Vector], (1, Some(1)), Vector),
        stable(
            F::AbsentOverTime,
            "absent_over_time",
            &[Matrix],
            (1, Some(1)),
            Vector,
        ),
        stable(F::Acos, "acos", &[Vector], (1, Some(1)), Vector),
        stable(F::Acosh, "acosh", &[Vector], (1, Some(1)), Vector),
        stable(F::Asin, "asin", &[Vector], (1, Some(1)), Vector),
        stable(F::Asinh, "asinh", &[Vector], (1, Some(1)), Vector),
        stable(F::Atan, "atan", &[Vector], (1, Some(1)), Vector),
        stable(F::Atanh, "atanh", &[Vector], (1, Some(1)), Vector),
        stable(F::AvgOverTime, "avg_over_time", &[Matrix], (1, Some(1)), Vector),
        stable(F::Ceil, "ceil", &[Vector], (1, Some(1)), Vector),
        stable(F::Changes, "changes", &[Matrix], (1, Some(1)), Vector),
        stable(F::Clamp, "clamp", &[Vector, Scalar, Scalar], (3, Some(3)), Vector),
        stable(F::ClampMax, "clamp_max", &[Vector, Scalar], (2, Some(2)), Vector),
        stable(F::ClampMin, "clamp_min", &[Vector, Scalar], (2, Some(2)), Vector),
        stable(F::Cos, "cos", &[Vector], (1, Some(1)), Vector),
        stable(F::Cosh, "cosh", &[Vector], (1, Some(1)), Vector),
        stable(
            F::CountOverTime,
            "count_over_time",
            &[Matrix],
            (1, Some(1)),
            Vector,
        ),
        stable(F::DayOfMonth, "day_of_month", &[Vector], (0, Some(1)), Vector),
        stable(F::DayOfWeek, "day_of_week", &[Vector], (0, Some(1)), Vector),
        stable(F::DayOfYear, "day_of_year", &[Vector], (0, Some(1)), Vector),
        stable(F::DaysInMonth, "days_in_month", &[Vector], (0, Some(1)), Vector),
        stable(F::Deg, "deg", &[Vector], (1, Some(1)), Vector),
        stable(F::Delta, "delta", &[Matrix], (1, Some(1)), Vector),
        stable(F::Deriv, "deriv", &[Matrix], (1, Some(1)), Vector),
        experimental(
            F::DoubleExponentialSmoothing,
            "double_exponential_smoothing",
            &[Matrix, Scalar, Scalar],
            (3, Some(3)),
            Vector,
        ),
        experimental(F::End, "end", &[], (0, Some(0)), Scalar),
        stable(F::Exp, "exp", &[Vector], (1, Some(1)), Vector),
        experimental(
            F::FirstOverTime,
            "first_over_time",
            &[Matrix],
            (1, Some(1)),
            Vector,
        ),
        stable(F::Floor, "floor", &[Vector], (1, Some(1)), Vector),
        stable(F::HistogramAvg, "histogram_avg", &[Vector], (1, Some(1)), Vector),
        stable(
            F::HistogramCount,
            "histogram_count",
            &[Vector],
            (1, Some(1)),
            Vector,
        ),
        stable(
            F::HistogramFraction,
            "histogram_fraction",
            &[Scalar, Scalar, Vector],
            (3, Some(3)),
            Vector,
        ),
        stable(
            F::HistogramQuantile,
            "histogram_quantile",
            &[Scalar, Vector],
            (2, Some(2)),
            Vector,
        ),
        experimental(
            F::HistogramQuantiles,
            "histogram_quantiles",
            &[Vector, String, Scalar],
            (3, None),
            Vector,
        ),
        stable(
            F::HistogramStddev,
            "histogram_stddev",
            &[Vector],
            (1, Some(1)),
            Vector,
        ),
        stable(
            F::HistogramStdvar,
            "histogram_stdvar",
            &[Vector],
            (1, Some(1)),
            Vector,
        ),
        stable(F::HistogramSum, "histogram_sum", &[Vector], (1, Some(1)), Vector),
        stable(F::Hour, "hour", &[Vector], (0, Some(1)), Vector),
        stable(F::Idelta, "idelta", &[Matrix], (1, Some(1)), Vector),
        stable(F::Increase, "increase", &[Matrix], (1, Some(1)), Vector),
        experimental(F::Info, "info", &[Vector, Vector], (1, Some(2)), Vector),
        stable(F::Irate, "irate", &[Matrix], (1, Some(1)), Vector),
        stable(
            F::LabelJoin,
            "label_join",
            &[Vector, String, String, String],
            (3, None),
            Vector,
        ),
        stable(
            F::LabelReplace,
            "label_replace",
            &[Vector, String, String, String, String],
            (5, Some(5)),
            Vector,
        ),
        stable(F::LastOverTime, "last_over_time", &[Matrix], (1, Some(1)), Vector),
        stable(F::Ln, "ln", &[Vector], (1, Some(1)), Vector),
        stable(F::Log10, "log10", &[Vector], (1, Some(1)), Vector),
        stable(F::Log2, "log2", &[Vector], (1, Some(1)), Vector),
        experimental(F::MadOverTime, "mad_over_time", &[Matrix], (1, Some(1)), Vector),
        stable(F::MaxOverTime, "max_over_time", &[Matrix], (1, Some(1)), Vector),
        stable(F::MinOverTime, "min_over_time", &[Matrix], (1, Some(1)), Vector),
        stable(F::Minute, "minute", &[Vector], (0, Some(1)), Vector),
        stable(F::Month, "month", &[Vector], (0, Some(1)), Vector),
        stable(F::Pi, "pi", &[], (0, Some(0)), Scalar),
        stable(
            F::PredictLinear,
            "predict_linear",
            &[Matrix, Scalar],
            (2, Some(2)),
            Vector,
        ),
        stable(
            F::PresentOverTime,
            "present_over_time",
            &[Matrix],
            (1, Some(1)),
            Vector,
        ),
        stable(
            F::QuantileOverTime,
            "quantile_over_time",
            &[Scalar, Matrix],
            (2, Some(2)),
            Vector,
        ),
        stable(F::Rad, "rad", &[Vector], (1, Some(1)), Vector),
        experimental(F::Range, "range", &[], (0, Some(0)), Scalar),
        stable(F::Rate, "rate", &[Matrix], (1, Some(1)), Vector),
        stable(F::Resets, "resets", &[Matrix], (1, Some(1)), Vector),
        stable(F::Round, "round", &[Vector, Scalar], (1, Some(2)), Vector),
        stable(F::Scalar, "scalar", &[Vector], (1, Some(1)), Scalar),
        stable(F::Sgn, "sgn", &[Vector], (1, Some(1)), Vector),
        stable(F::Sin, "sin", &[Vector], (1, Some(1)), Vector),
        stable(F::Sinh, "sinh", &[Vector], (1, Some(1)), Vector),
        stable(F::Sort, "sort", &[Vector], (1, Some(1)), Vector),
        experimental(
            F::SortByLabel,
            "sort_by_label",
            &[Vector, String],
            (1, None),
            Vector,
        ),
        experimental(
            F::SortByLabelDesc,
            "sort_by_label_desc",
            &[Vector, String],
            (1, None),
            Vector,
        ),
        stable(F::SortDesc, "sort_desc", &[Vector], (1, Some(1)), Vector),
        stable(F::Sqrt, "sqrt", &[Vector], (1, Some(1)), Vector),
        experimental(F::Start, "start", &[], (0, Some(0)), Scalar),
        stable(
            F::StddevOverTime,
            "stddev_over_time",
            &[Matrix],
            (1, Some(1)),
            Vector,
        ),
        stable(
            F::StdvarOverTime,
            "stdvar_over_time",
            &[Matrix],
            (1, Some(1)),
            Vector,
        ),
        experimental(F::Step, "step", &[], (0, Some(0)), Scalar),
        stable(F::SumOverTime, "sum_over_time", &[Matrix], (1, Some(1)), Vector),
        stable(F::Tan, "tan", &[Vector], (1, Some(1)), Vector),
        stable(F::Tanh, "tanh", &[Vector], (1, Some(1)), Vector),
        stable(F::Time, "time", &[], (0, Some(0)), Scalar),
        stable(F::Timestamp, "timestamp", &[Vector], (1, Some(1)), Vector),
        experimental(
            F::TsOfFirstOverTime,
            "ts_of_first_over_time",
            &[Matrix],
            (1, Some(1)),
            Vector,
        ),
        experimental(
            F::TsOfLastOverTime,
            "ts_of_last_over_time",
            &[Matrix],
            (1, Some(1)),
            Vector,
        ),
        experimental(
            F::TsOfMaxOverTime,
            "ts_of_max_over_time",
            &[Matrix],
            (1, Some(1)),
            Vector,
        ),
        experimental(
            F::TsOfMinOverTime,
            "ts_of_min_over_time",
            &[Matrix],
            (1, Some(1)),
            Vector,
        ),
        stable(F::Vector, "vector", &[Scalar], (1, Some(1)), Vector),
        stable(F::Year, "year", &[Vector], (0, Some(1)), Vector),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_sorted_and_found() {
        assert!(FUNCTIONS.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert_eq!(function("rate").map(|f| f.id), Some(FunctionId::Rate));
        assert_eq!(function("Rate"), None);
    }
}
