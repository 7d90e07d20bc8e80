//! Buckets as columns of a Parquet file.
//!
//! ```text
//! <name>.rollup_5m.parquet, <name>.rollup_1h.parquet
//!   series_id INT64, ts TIMESTAMP(ms, UTC)      the end of the bucket
//!   first_ts, last_ts TIMESTAMP(ms, UTC), stale_ts TIMESTAMP(ms, UTC)?
//!   count, resets, changes INT32
//!   ve INT32                                    exponent of all mantissas of the row, 0 to 22
//!   sum_m INT64, sum_f DOUBLE?                  likewise first, last, before_resets
//!   min_m INT64?, min_f DOUBLE?                 likewise max
//! ```
//!
//! A number `x` is `coalesce(x_f, x_m / pow(10, ve))`, exactly, as the values of samples are. All numbers of a row share
//! one exponent, because they are sums and picks of values that were printed with as many decimals. Both columns of `min`
//! are null where it is `first`, and both of `max` where it is `last`, which they are of counters.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, PrimitiveArray, RecordBatch,
    TimestampMillisecondArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, Float64Type, Int32Type, Int64Type, Schema, SchemaRef,
    TimestampMillisecondType,
};
use arrow::error::ArrowError;
use barograph_model::SeriesId;

use super::Bucket;
use crate::segment::{Decimal, power_of_ten, timestamp};

/// The numbers of a bucket, in the order of their columns.
pub(crate) const NUMBERS: [&str; 6] = ["sum", "min", "max", "first", "last", "before_resets"];

/// For each number the one that it is where it has neither mantissa nor double: `first` for `min`, `last` for `max`.
const SAME_AS: [Option<usize>; NUMBERS.len()] = [None, Some(3), Some(4), None, None, None];

/// The columns of a file of buckets.
pub(crate) fn schema() -> SchemaRef {
    let required = |name: &str, of: DataType| Field::new(name, of, false);
    let mut fields = vec![
        required("series_id", DataType::Int64),
        required("ts", timestamp()),
        required("first_ts", timestamp()),
        required("last_ts", timestamp()),
        Field::new("stale_ts", timestamp(), true),
        required("count", DataType::Int32),
        required("resets", DataType::Int32),
        required("changes", DataType::Int32),
        required("ve", DataType::Int32),
    ];
    for (i, name) in NUMBERS.iter().enumerate() {
        fields.push(Field::new(
            format!("{name}_m"),
            DataType::Int64,
            SAME_AS[i].is_some(),
        ));
        fields.push(Field::new(format!("{name}_f"), DataType::Float64, true));
    }
    Arc::new(Schema::new(fields))
}

/// Buckets that wait to be written.
#[derive(Debug, Default)]
pub(crate) struct PendingBuckets {
    ids: Vec<i64>,
    buckets: Vec<Bucket>,
    exponents: Vec<i32>,
    mantissas: [Vec<Option<i64>>; NUMBERS.len()],
    floats: [Vec<Option<f64>>; NUMBERS.len()],
}

impl PendingBuckets {
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Adds the buckets of one series. They get the one exponent that the longest of their numbers needs; a row whose
    /// numbers would then have too many digits keeps its own.
    pub(crate) fn push_series(&mut self, id: SeriesId, buckets: &[Bucket]) {
        let mut common = 0;
        for bucket in buckets {
            common = common.max(exponent_of(&bucket.numbers(), common));
        }
        let mut before = [0; NUMBERS.len()];
        for bucket in buckets {
            let numbers = bucket.numbers();
            let fits = |n: &f64| Decimal::at(*n, common).is_some() || Decimal::exact(*n).is_none();
            let exponent = match numbers.iter().all(fits) {
                true => common,
                false => exponent_of(&numbers, 0),
            };
            for (i, number) in numbers.iter().enumerate() {
                if SAME_AS[i].is_some_and(|other| numbers[other].to_bits() == number.to_bits()) {
                    self.mantissas[i].push(None);
                    self.floats[i].push(None);
                    continue;
                }
                let decimal = Decimal::at(*number, exponent);
                if let Some(decimal) = decimal {
                    before[i] = decimal.mantissa;
                }
                // Beside a number that is no decimal the mantissa before it stands once more, which costs nothing.
                self.mantissas[i].push(Some(before[i]));
                self.floats[i].push(decimal.is_none().then_some(*number));
            }
            self.exponents.push(i32::from(exponent));
        }
        self.ids.resize(self.ids.len() + buckets.len(), id.0);
        self.buckets.extend_from_slice(buckets);
    }

    /// All of them as a batch, which leaves none.
    pub(crate) fn take_batch(&mut self) -> Result<RecordBatch, ArrowError> {
        let Self {
            ids,
            buckets,
            exponents,
            mantissas,
            floats,
        } = std::mem::take(self);
        let instants = |of: fn(&Bucket) -> Option<i64>| -> ArrayRef {
            let column: TimestampMillisecondArray = buckets.iter().map(of).collect();
            Arc::new(column.with_timezone("UTC"))
        };
        let counts = |of: fn(&Bucket) -> u32| -> ArrayRef {
            let narrow = |bucket: &Bucket| i32::try_from(of(bucket)).unwrap_or(i32::MAX);
            Arc::new(Int32Array::from_iter_values(buckets.iter().map(narrow)))
        };
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(ids)),
            instants(|bucket| Some(bucket.end)),
            instants(|bucket| Some(bucket.first_ts)),
            instants(|bucket| Some(bucket.last_ts)),
            instants(|bucket| bucket.stale_ts),
            counts(|bucket| bucket.count),
            counts(|bucket| bucket.resets),
            counts(|bucket| bucket.changes),
            Arc::new(Int32Array::from(exponents)),
        ];
        for (mantissas, floats) in mantissas.into_iter().zip(floats) {
            columns.push(Arc::new(Int64Array::from(mantissas)));
            columns.push(Arc::new(Float64Array::from(floats)));
        }
        RecordBatch::try_new(schema(), columns)
    }
}

/// The least exponent from `least` on with which each of the numbers is a decimal that is one at all.
fn exponent_of(numbers: &[f64], least: u8) -> u8 {
    numbers
        .iter()
        .fold(least, |exponent, number| match Decimal::at(*number, exponent) {
            Some(_) => exponent,
            None => exponent.max(Decimal::exact(*number).map_or(0, |decimal| decimal.exponent)),
        })
}

/// A batch of a file that was read.
#[derive(Debug)]
pub(crate) struct BucketColumns {
    pub(crate) ids: Int64Array,
    pub(crate) ends: TimestampMillisecondArray,
    first_ts: TimestampMillisecondArray,
    last_ts: TimestampMillisecondArray,
    stale_ts: TimestampMillisecondArray,
    count: Int32Array,
    resets: Int32Array,
    changes: Int32Array,
    exponents: Int32Array,
    mantissas: Vec<Int64Array>,
    floats: Vec<Float64Array>,
}

impl BucketColumns {
    /// Finds the columns; `None` where one is missing or of another type.
    pub(crate) fn new(batch: &RecordBatch) -> Option<Self> {
        fn column<T: ArrowPrimitiveType>(batch: &RecordBatch, name: &str) -> Option<PrimitiveArray<T>> {
            batch.column_by_name(name)?.as_primitive_opt::<T>().cloned()
        }
        let instants = |name| column::<TimestampMillisecondType>(batch, name);
        let counts = |name| column::<Int32Type>(batch, name);
        let mantissas = NUMBERS.map(|name| column::<Int64Type>(batch, &format!("{name}_m")));
        let floats = NUMBERS.map(|name| column::<Float64Type>(batch, &format!("{name}_f")));
        Some(Self {
            ids: column::<Int64Type>(batch, "series_id")?,
            ends: instants("ts")?,
            first_ts: instants("first_ts")?,
            last_ts: instants("last_ts")?,
            stale_ts: instants("stale_ts")?,
            count: counts("count")?,
            resets: counts("resets")?,
            changes: counts("changes")?,
            exponents: counts("ve")?,
            mantissas: mantissas.into_iter().collect::<Option<_>>()?,
            floats: floats.into_iter().collect::<Option<_>>()?,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The bucket in a row, or what is wrong with it.
    pub(crate) fn row(&self, row: usize) -> Result<Bucket, String> {
        let exponent = self.exponents.value(row);
        let divisor = power_of_ten(i64::from(exponent));
        let divisor = divisor.ok_or_else(|| format!("the exponent {exponent}"))?;
        let own = |i: usize| match self.floats[i].is_valid(row) {
            true => self.floats[i].value(row),
            false => self.mantissas[i].value(row) as f64 / divisor,
        };
        let number = |i: usize| match SAME_AS[i] {
            Some(other) if self.floats[i].is_null(row) && self.mantissas[i].is_null(row) => own(other),
            _ => own(i),
        };
        let count = |column: &Int32Array, name: &str| {
            u32::try_from(column.value(row)).map_err(|_| format!("{name} {}", column.value(row)))
        };
        let bucket = Bucket {
            end: self.ends.value(row),
            first_ts: self.first_ts.value(row),
            last_ts: self.last_ts.value(row),
            stale_ts: self.stale_ts.is_valid(row).then(|| self.stale_ts.value(row)),
            count: count(&self.count, "count")?,
            resets: count(&self.resets, "resets")?,
            changes: count(&self.changes, "changes")?,
            sum: number(0),
            min: number(1),
            max: number(2),
            first: number(3),
            last: number(4),
            before_resets: number(5),
        };
        Ok(bucket)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rollup::RollupWidth;
    use crate::rollup::bucket::buckets_of;
    use crate::segment::POW10;

    proptest! {
        #[test]
        fn every_bit_comes_back(
            rows in proptest::collection::btree_map(0i64..3_600_000, prop_oneof![
                any::<f64>(),
                (-9999i64..9999, 0u8..6).prop_map(|(m, e)| m as f64 / POW10[e as usize]),
                Just(barograph_model::stale_nan()),
                Just(-0.0),
            ], 1..60),
        ) {
            let (ts, values): (Vec<i64>, Vec<f64>) = rows.into_iter().unzip();
            let buckets = buckets_of(RollupWidth::FiveMinutes, &ts, &values);
            let mut pending = PendingBuckets::default();
            pending.push_series(SeriesId(7), &buckets);
            let columns = BucketColumns::new(&pending.take_batch().unwrap()).unwrap();
            prop_assert_eq!(pending.len(), 0);
            let bits = |bucket: &Bucket| (bucket.numbers().map(f64::to_bits), bucket.stale_ts, bucket.count);
            for (row, bucket) in buckets.iter().enumerate() {
                let back = columns.row(row).unwrap();
                prop_assert_eq!(bits(&back), bits(bucket));
                prop_assert_eq!((back.end, back.first_ts, back.last_ts), (bucket.end, bucket.first_ts, bucket.last_ts));
                prop_assert_eq!((back.resets, back.changes), (bucket.resets, bucket.changes));
            }
        }
    }
}
