//! The values of `$1`, `$2`, ... as clients send them.

use std::panic::{AssertUnwindSafe, catch_unwind};
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
use super::statement::parameter_types;

/// Values for a statement. They are of the client's types where it names any, else of those that follow from the statement.
///
/// # Errors
/// `22P02` and others for bytes that are no value of their type, 08P01 for formats that do not fit.
pub fn values<S: Clone>(portal: &Portal<S>, described: &Described) -> PgWireResult<Vec<ScalarValue>> {
    let (sent, format) = (portal.parameter_len(), &portal.parameter_format);
    check_formats(format, sent, "parameter", "it", "parameters")?;
    let types = parameter_types(described)?;
    (0..sent)
        .map(|place| value(portal, place, described, types.get(place)))
        .collect()
}

fn value<S: Clone>(
    portal: &Portal<S>,
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
    // Who names the type `unknown` names none.
    let named = portal.statement.parameter_types.get(place).cloned().flatten();
    let named = named.filter(|kind| *kind != Type::UNKNOWN);
    let kind = named.as_ref().or(server_type).unwrap_or(&Type::UNKNOWN);
    // A text is the same bytes in both formats. The decoder takes one in the textual format for a literal, and makes one
    // quote of two.
    let is_text = matches!(*kind, Type::TEXT | Type::VARCHAR | Type::UNKNOWN);
    let format = match portal.parameter_format.format_for(place) {
        FieldFormat::Text if !is_text => Format::UnifiedText,
        _ => Format::UnifiedBinary,
    };
    let wrong = |what: &str| statement_error("22P02", &format!("${} {what}", place + 1));
    // Names of array types begin with an underscore.
    if kind.name().starts_with('_') && matches!(format, Format::UnifiedBinary) && !holds_elements(&bytes) {
        return Err(wrong("does not have the elements that it counts"));
    }
    let mut one = Portal::<()>::default();
    one.statement = Arc::new(StoredStatement::new(String::new(), (), vec![named]));
    one.parameters = vec![Some(bytes)];
    one.parameter_format = format;
    // Instants and spans beyond what can be counted make the decoder panic. Nothing of ours is changed inside.
    let read = catch_unwind(AssertUnwindSafe(|| {
        deserialize_parameters_with_server_types(&one, &[known], &[server_type])
    }));
    let read = read.map_err(|_| wrong("cannot be decoded as a value of its type"))?;
    let first = match read.map_err(|error| wrong(&format!("is no value of its type: {error}")))? {
        ParamValues::List(values) => values.into_iter().next(),
        ParamValues::Map(_) => None,
    };
    first
        .map(|value| value.value)
        .ok_or_else(|| wrong("has no value"))
}

/// Whether an array can hold as many elements as it counts, since the decoder takes memory for all of them at once: three
/// words, a count and a lower bound for each dimension, and the elements with a length of four bytes each. More than one
/// dimension is refused by the decoder.
fn holds_elements(array: &[u8]) -> bool {
    const COUNT: usize = 12;
    const ELEMENTS: usize = 20;
    match array.get(COUNT..).and_then(|rest| rest.first_chunk::<4>()) {
        Some(count) => {
            let held = array.len().saturating_sub(ELEMENTS) / 4;
            usize::try_from(i32::from_be_bytes(*count)).is_ok_and(|count| count <= held)
        }
        // Of no dimensions, or cut off.
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Schema};
    use barograph_query::sql::CommandTag;
    use pgwire::messages::extendedquery::Bind;

    use super::*;

    fn bound(
        named: Option<Type>,
        known: Option<DataType>,
        format: i16,
        value: &[u8],
    ) -> PgWireResult<Vec<ScalarValue>> {
        let described = Described {
            schema: Arc::new(Schema::empty()),
            parameters: vec![known],
            tag: CommandTag::Select,
        };
        let bind = Bind::new(
            None,
            None,
            vec![format],
            vec![Some(value.to_vec().into())],
            Vec::new(),
        );
        let statement = Arc::new(StoredStatement::new(String::new(), (), vec![named]));
        values(&Portal::try_new(&bind, statement)?, &described)
    }

    #[test]
    fn a_text_is_what_was_sent() {
        for named in [None, Some(Type::TEXT), Some(Type::VARCHAR), Some(Type::UNKNOWN)] {
            for (format, text) in [0, 1].into_iter().zip(["it''s {a,b}", "{''}"]) {
                let values = bound(named.clone(), Some(DataType::Utf8), format, text.as_bytes()).unwrap();
                assert_eq!(values, [ScalarValue::from(text)], "{named:?}");
            }
        }
    }

    #[test]
    fn an_array_has_the_elements_that_it_counts() {
        let array = |count: i32, elements: &[u8]| {
            let words = [1, 0, 20, count, 1].map(i32::to_be_bytes).concat();
            bound(Some(Type::INT8_ARRAY), None, 1, &[&words, elements].concat())
        };
        assert!(array(2, b"\0\0\0\x08\0\0\0\0\0\0\0\x05\xff\xff\xff\xff").is_ok());
        for count in [3, i32::MAX, -1] {
            let error = array(count, b"\xff\xff\xff\xff\xff\xff\xff\xff").unwrap_err();
            assert!(error.to_string().contains("elements"), "{error}");
        }
        let empty = bound(
            Some(Type::INT8_ARRAY),
            None,
            1,
            &[0, 0, 20].map(i32::to_be_bytes).concat(),
        );
        assert!(empty.is_ok());
    }

    #[test]
    fn what_cannot_be_counted_is_refused() {
        for kind in [Type::TIMESTAMP, Type::TIMESTAMPTZ] {
            let error = bound(Some(kind), None, 1, &i64::MAX.to_be_bytes()).unwrap_err();
            assert!(error.to_string().contains("$1"), "{error}");
        }
    }
}
