//! The values of `$1`, `$2`, ... as clients send them.

use std::sync::Arc;

use arrow_pg::datatypes::df::deserialize_parameters_with_server_types;
use barograph_query::sql::{Described, ParamValues, ScalarValue};
use pgwire::api::Type;
use pgwire::api::portal::{Format, Portal};
use pgwire::api::results::FieldFormat;
use pgwire::api::stmt::StoredStatement;
use pgwire::error::PgWireResult;

use super::error::statement_error;
use super::rows::check_formats;
use super::statement::{Prepared, parameter_types};

/// Values for a statement. They are of the client's types where it names any, else of those that follow from the statement.
///
/// # Errors
/// `22P02` and others for bytes that are no value of their type, 08P01 for formats that do not fit.
pub(super) fn values(portal: &Portal<Prepared>, described: &Described) -> PgWireResult<Vec<ScalarValue>> {
    let (sent, format) = (portal.parameter_len(), &portal.parameter_format);
    check_formats(format, sent, "parameter", "it", "parameters")?;
    let types = parameter_types(&portal.statement.statement)?;
    (0..sent)
        .map(|place| value(portal, place, described, types.get(place)))
        .collect()
}

fn value(
    portal: &Portal<Prepared>,
    place: usize,
    described: &Described,
    server_type: Option<&Type>,
) -> PgWireResult<ScalarValue> {
    let known = described.parameters.get(place).and_then(Option::as_ref);
    let Some(bytes) = portal.parameters.get(place).cloned().flatten() else {
        // arrow-pg leaves out a NULL whose type nothing tells, and the values behind it would move up.
        return Ok(known
            .and_then(|data_type| ScalarValue::try_from(data_type).ok())
            .unwrap_or(ScalarValue::Null));
    };
    let named = portal.statement.parameter_types.get(place).cloned().flatten();
    let mut one = Portal::<()>::default();
    one.statement = Arc::new(StoredStatement::new(String::new(), (), vec![named]));
    one.parameters = vec![Some(bytes)];
    one.parameter_format = match portal.parameter_format.format_for(place) {
        FieldFormat::Text => Format::UnifiedText,
        FieldFormat::Binary => Format::UnifiedBinary,
    };
    let read = deserialize_parameters_with_server_types(&one, &[known], &[server_type])?;
    let first = match read {
        ParamValues::List(values) => values.into_iter().next(),
        ParamValues::Map(_) => None,
    };
    first
        .map(|value| value.value)
        .ok_or_else(|| statement_error("22P02", &format!("${} has no value", place + 1)))
}
