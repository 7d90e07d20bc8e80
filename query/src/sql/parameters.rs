//! `$1`, `$2`, ...: values that come apart from the text.

use arrow::datatypes::DataType;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;

use super::error::{SqlError, SqlErrorCode};

/// Values for one query; each stands in its plan.
const PARAMETERS_MAX: usize = 1_000;

/// # Errors
/// `unsupported` for more values than are allowed.
pub(super) fn check_number(values: usize) -> Result<(), SqlError> {
    if values > PARAMETERS_MAX {
        let message = format!("the query has more than {PARAMETERS_MAX} parameters");
        return Err(SqlError::new(SqlErrorCode::Unsupported, message));
    }
    Ok(())
}

/// Refuses to run what still has places for values.
///
/// # Errors
/// `unsupported`.
pub(super) fn check_values(plan: &LogicalPlan) -> Result<(), SqlError> {
    match parameters(plan)?.len() {
        0 => Ok(()),
        expected => {
            let message = format!("${expected} has no value");
            Err(SqlError::new(SqlErrorCode::Unsupported, message)
                .with_hint("bind a value to each of $1, $2, ..."))
        }
    }
}

pub(super) fn with_values(plan: LogicalPlan, values: &[ScalarValue]) -> Result<LogicalPlan, SqlError> {
    if values.is_empty() {
        return Ok(plan);
    }
    let values = ParamValues::from(values.to_vec());
    plan.with_param_values(values)
        .map_err(|error| SqlError::from_datafusion(&error))
}

/// The types of `$1`, `$2`, ... as far as they are known.
pub(super) fn parameters(plan: &LogicalPlan) -> Result<Vec<Option<DataType>>, SqlError> {
    let types = plan
        .get_parameter_types()
        .map_err(|error| SqlError::from_datafusion(&error))?;
    let mut parameters = Vec::new();
    for (name, data_type) in types {
        let number = name
            .strip_prefix('$')
            .and_then(|number| number.parse::<usize>().ok());
        let Some(index) = number.and_then(|number| number.checked_sub(1)) else {
            let message = format!("{name} is not a parameter: they are called $1, $2, ...");
            return Err(SqlError::new(SqlErrorCode::Unsupported, message));
        };
        if index >= PARAMETERS_MAX {
            let message = format!("{name}: the parameters are $1 to ${PARAMETERS_MAX}");
            return Err(SqlError::new(SqlErrorCode::Unsupported, message));
        }
        if parameters.len() <= index {
            parameters.resize(index + 1, None);
        }
        parameters[index] = data_type;
    }
    Ok(parameters)
}
