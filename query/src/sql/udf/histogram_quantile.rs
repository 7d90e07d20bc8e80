//! `histogram_quantile(phi, le, value)`: a quantile of a classic histogram whose cumulative buckets are the rows of a group.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use barograph_promql::histogram::{ClassicBucket, bucket_quantile};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

use crate::sql::error::{SqlError, SqlErrorCode};

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct HistogramQuantile {
    signature: Signature,
}

impl HistogramQuantile {
    pub(super) fn new() -> Self {
        Self {
            signature: Signature::user_defined(Volatility::Immutable),
        }
    }
}

fn wrong(message: String) -> DataFusionError {
    SqlError::new(SqlErrorCode::Unsupported, message)
        .with_hint("histogram_quantile(0.99, le, value)")
        .into()
}

impl AggregateUDFImpl for HistogramQuantile {
    fn name(&self) -> &str {
        "histogram_quantile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let is_number = |data_type: &DataType| data_type.is_numeric() || data_type.is_null();
        match types {
            [phi, le, value] if is_number(phi) && is_number(value) => {
                let le = match le {
                    le if is_number(le) => DataType::Float64,
                    le if le.is_string() => DataType::Utf8,
                    other => {
                        return Err(wrong(format!(
                            "the bound of a bucket is a number or a text, not {other}"
                        )));
                    }
                };
                Ok(vec![DataType::Float64, le, DataType::Float64])
            }
            [phi, _, value] => Err(wrong(format!(
                "histogram_quantile takes numbers, not {phi} and {value}"
            ))),
            other => Err(wrong(format!(
                "histogram_quantile takes 3 arguments, not {}",
                other.len()
            ))),
        }
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Buckets::default()))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let list = |part: &str| {
            let list = DataType::List(Arc::new(Field::new_list_field(DataType::Float64, true)));
            Arc::new(Field::new(format!("{}[{part}]", args.name), list, true))
        };
        let phi = Field::new(format!("{}[phi]", args.name), DataType::Float64, true);
        Ok(vec![Arc::new(phi), list("le"), list("value")])
    }
}

#[derive(Debug, Default)]
struct Buckets {
    phi: Option<f64>,
    buckets: Vec<ClassicBucket>,
}

impl Buckets {
    fn take_phi(&mut self, phi: &ArrayRef) -> Result<()> {
        let phi = phi
            .as_primitive_opt::<Float64Type>()
            .ok_or_else(|| wrong("the quantile is a number".to_owned()))?;
        for found in phi.iter().flatten() {
            match self.phi {
                Some(known) if known.to_bits() != found.to_bits() => {
                    return Err(wrong(
                        "histogram_quantile has one quantile for all rows of a group".to_owned(),
                    ));
                }
                _ => self.phi = Some(found),
            }
        }
        Ok(())
    }

    fn add(&mut self, le: &Float64Array, counts: &Float64Array) {
        let rows = le.iter().zip(counts.iter());
        let buckets = rows.filter_map(|(upper, count)| {
            Some(ClassicBucket {
                upper: upper?,
                count: count?,
            })
        });
        self.buckets.extend(buckets);
    }
}

/// The bounds as numbers; NULL for what is none, as PromQL leaves such series out.
fn bounds(le: &ArrayRef) -> Result<Float64Array> {
    if let Some(numbers) = le.as_primitive_opt::<Float64Type>() {
        return Ok(numbers.clone());
    }
    let texts = le
        .as_string_opt::<i32>()
        .ok_or_else(|| wrong(format!("the bound of a bucket is not {}", le.data_type())))?;
    Ok(texts
        .iter()
        .map(|text| text?.trim().parse::<f64>().ok())
        .collect())
}

fn numbers(array: &ArrayRef) -> Result<&Float64Array> {
    array
        .as_primitive_opt::<Float64Type>()
        .ok_or_else(|| wrong(format!("the count of a bucket is not {}", array.data_type())))
}

impl Accumulator for Buckets {
    fn update_batch(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let [phi, le, counts] = columns else {
            return Err(wrong("histogram_quantile takes 3 arguments".to_owned()));
        };
        self.take_phi(phi)?;
        self.add(&bounds(le)?, numbers(counts)?);
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let Some(phi) = self.phi.filter(|_| !self.buckets.is_empty()) else {
            return Ok(ScalarValue::Float64(None));
        };
        Ok(ScalarValue::Float64(Some(
            bucket_quantile(phi, &mut self.buckets).value,
        )))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.buckets.capacity() * size_of::<ClassicBucket>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list =
            |values: Float64Array| SingleRowListArrayBuilder::new(Arc::new(values)).build_list_scalar();
        Ok(vec![
            ScalarValue::Float64(self.phi),
            list(self.buckets.iter().map(|bucket| bucket.upper).collect()),
            list(self.buckets.iter().map(|bucket| bucket.count).collect()),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let odd = || DataFusionError::Internal("a partial state of another type".to_owned());
        let [phi, le, counts] = states else {
            return Err(odd());
        };
        self.take_phi(phi)?;
        let le = le.as_list_opt::<i32>().ok_or_else(odd)?;
        let counts = counts.as_list_opt::<i32>().ok_or_else(odd)?;
        for row in 0..le.len() {
            let (le, counts) = (le.value(row), counts.value(row));
            self.add(numbers(&le)?, numbers(&counts)?);
        }
        Ok(())
    }
}
