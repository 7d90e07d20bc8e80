//! `first(value, ts)` and `last(value, ts)`: the value of the row with the smallest and the greatest instant.
//!
//! Rows where either is NULL do not count. Of several rows of one instant, one of them counts.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type, TimestampMillisecondType};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

use crate::sql::error::{SqlError, SqlErrorCode};
use crate::sql::samples::timestamp_type;

/// One of the two.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct AtTime {
    is_last: bool,
    signature: Signature,
}

impl AtTime {
    pub(super) fn first() -> Self {
        Self::new(false)
    }

    pub(super) fn last() -> Self {
        Self::new(true)
    }

    fn new(is_last: bool) -> Self {
        Self {
            is_last,
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

impl AggregateUDFImpl for AtTime {
    fn name(&self) -> &str {
        if self.is_last { "last" } else { "first" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [
                value,
                DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 | DataType::Null,
            ] => Ok(vec![value.clone(), timestamp_type()]),
            _ => {
                let name = self.name();
                Err(SqlError::new(
                    SqlErrorCode::Unsupported,
                    format!("{name} takes a value and an instant"),
                )
                .with_hint(format!("{name}(value, ts)"))
                .into())
            }
        }
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Extreme {
            is_last: self.is_last,
            ts: None,
            value: ScalarValue::try_from(args.return_field.data_type())?,
        }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let ts = Field::new(format!("{}[ts]", args.name), DataType::Int64, true);
        let value = Field::new(
            format!("{}[value]", args.name),
            args.return_field.data_type().clone(),
            true,
        );
        Ok(vec![Arc::new(ts), Arc::new(value)])
    }
}

#[derive(Debug)]
struct Extreme {
    is_last: bool,
    ts: Option<i64>,
    value: ScalarValue,
}

impl Extreme {
    /// Looks at rows, of which `ts` tells the instants.
    fn look(&mut self, values: &ArrayRef, ts: impl Iterator<Item = Option<i64>>) -> Result<()> {
        let mut found: Option<usize> = None;
        for (row, ts) in ts.enumerate() {
            let Some(ts) = ts.filter(|_| values.is_valid(row)) else {
                continue;
            };
            let is_better = match self.ts {
                None => true,
                Some(best) if self.is_last => ts > best,
                Some(best) => ts < best,
            };
            if is_better {
                self.ts = Some(ts);
                found = Some(row);
            }
        }
        if let Some(row) = found {
            let mut value = ScalarValue::try_from_array(values, row)?;
            // The value would otherwise keep the whole batch in memory.
            value.compact();
            self.value = value;
        }
        Ok(())
    }
}

fn odd() -> DataFusionError {
    DataFusionError::Internal("first and last: instants of another type".to_owned())
}

impl Accumulator for Extreme {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let [values, ts] = columns else { return Err(odd()) };
        let ts = ts
            .as_primitive_opt::<TimestampMillisecondType>()
            .ok_or_else(odd)?;
        self.look(values, ts.iter())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Int64(self.ts), self.value.clone()])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [ts, values] = states else { return Err(odd()) };
        let ts = ts.as_primitive_opt::<Int64Type>().ok_or_else(odd)?;
        self.look(values, ts.iter())
    }
}
