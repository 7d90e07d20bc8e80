//! Sets of places as they lie in the section POSTINGS.
//!
//! ```text
//!  0       1
//!  | count | 0: a Roaring bitmap
//!          | 2 to 64: so many varints: the first place, then the distance of each to the one before
//! ```
//!
//! What tells a pod from others stands in a dozen series that lie far apart. A bitmap takes ten bytes for each of them, a
//! list two or three. Until version 1 all sets were bitmaps, without the byte in front.

use std::io;

use roaring::RoaringBitmap;

use crate::wal::varint;

/// Places of a list, at most.
const LIST_PLACES_MAX: usize = 64;

/// Bytes of a list up to which no bitmap is smaller.
const BITMAP_BYTES_MIN: usize = 16;

/// In front of a bitmap.
const BITMAP: u8 = 0;

/// Appends a set of at least two places, which ascend.
pub(super) fn write(places: &[u32], out: &mut Vec<u8>) -> Result<(), String> {
    let start = out.len();
    if (2..=LIST_PLACES_MAX).contains(&places.len()) {
        out.push(places.len() as u8);
        let mut before = 0;
        for place in places {
            varint::put(out, u64::from(place - before));
            before = *place;
        }
        if out.len() - start <= BITMAP_BYTES_MIN {
            return Ok(());
        }
    }
    let mut bitmap = RoaringBitmap::from_sorted_iter(places.iter().copied()).map_err(|e| e.to_string())?;
    bitmap.optimize();
    let list_bytes = out.len() - start;
    if list_bytes == 0 || bitmap.serialized_size() + 1 < list_bytes {
        out.truncate(start);
        out.push(BITMAP);
        bitmap.serialize_into(out).map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// Reads what [`write`] wrote at the front of some bytes.
pub(super) fn read(bytes: &[u8]) -> io::Result<RoaringBitmap> {
    let Some((&count, mut rest)) = bytes.split_first() else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    if count == BITMAP {
        return RoaringBitmap::deserialize_from(rest);
    }
    let mut places = RoaringBitmap::new();
    let mut before = 0u32;
    for _ in 0..count {
        let delta = varint::take(&mut rest).and_then(|delta| u32::try_from(delta).ok());
        before = delta
            .and_then(|delta| before.checked_add(delta))
            .ok_or(io::ErrorKind::InvalidData)?;
        places.insert(before);
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            places in prop_oneof![
                proptest::collection::btree_set(0..200u32, 2..120),
                proptest::collection::btree_set(any::<u32>(), 2..120),
            ],
            behind in proptest::collection::vec(any::<u8>(), 0..5),
        ) {
            let places: Vec<u32> = places.into_iter().collect();
            let mut bytes = Vec::new();
            write(&places, &mut bytes).unwrap();
            bytes.extend(behind);
            prop_assert_eq!(read(&bytes).unwrap().iter().collect::<Vec<_>>(), places);
        }

        #[test]
        fn any_bytes_are_a_set_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(places) = read(&bytes) {
                prop_assert!(places.len() <= u64::from(u16::MAX) * 40);
            }
        }
    }

    #[test]
    fn the_smaller_form_is_taken() {
        let size = |places: &[u32]| {
            let mut bytes = Vec::new();
            write(places, &mut bytes).unwrap();
            (bytes[0], bytes.len())
        };
        // Ten metrics of a pod among a hundred thousand.
        let pod: Vec<u32> = (0..10).map(|metric| metric * 105_000 + 77).collect();
        assert_eq!(size(&pod), (10, 29));
        // All series of a target.
        let target: Vec<u32> = (5_000..5_060).collect();
        let (form, bytes) = size(&target);
        assert!(form == BITMAP && bytes < 30, "{bytes}");
    }
}
