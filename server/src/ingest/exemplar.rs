//! The Exemplar message: the same fields in remote write 1.0 and 2.0, but for how its labels are written.

use barograph_model::{Exemplar, TimestampMs};

use super::labels::{LabelSource, LabelsError};
use super::limits::LabelLimits;
use super::protobuf::{Reader, WireType};

/// Reads an exemplar. One without a timestamp stands at 1970-01-01, which the retention refuses.
///
/// # Errors
/// [`LabelsError::Wire`] where the message is malformed, [`LabelsError::Fault`] where its labels are not acceptable.
pub(super) fn read(
    mut message: Reader<'_>,
    source: LabelSource<'_>,
    limits: &LabelLimits,
) -> Result<Exemplar, LabelsError> {
    let place = message.offset()..message.end();
    let (mut ts, mut value) = (0, 0.0);
    while let Some(tag) = message.tag()? {
        match tag.field {
            2 => {
                tag.expect(WireType::Fixed64, "Exemplar.value")?;
                value = f64::from_bits(message.fixed64()?);
            }
            3 => {
                tag.expect(WireType::Varint, "Exemplar.timestamp")?;
                ts = message.varint()? as i64;
            }
            _ => message.skip(tag)?,
        }
    }
    Ok(Exemplar {
        labels: source.read_exemplar(place, limits)?,
        value,
        ts: TimestampMs(ts),
    })
}
