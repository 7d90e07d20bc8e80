//! Arrow's messages from outside, before and while they are decoded.
//!
//! A compressed buffer says itself how long it is once it is not, and the decoder takes that much memory before it looks at the
//! rest: one message of a few bytes would end the process. Clients have no need to compress a row of values, so it is refused.
//! The decoder also asserts what only a broken message violates; a panic of it becomes an error.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::error::ArrowError;
use arrow::ipc::root_as_message;

/// What comes before the length of a message in a stream.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// Looks at the header of one message.
///
/// # Errors
/// For bytes that are no header, and for one of compressed buffers.
pub(super) fn check_header(header: &[u8]) -> Result<(), ArrowError> {
    body_bytes(header).map(|_| ())
}

/// Looks at all headers of a stream.
///
/// # Errors
/// As [`check_header`], and for lengths beyond the end.
pub(super) fn check_stream(mut bytes: &[u8]) -> Result<(), ArrowError> {
    let cut = || ArrowError::IpcError("a message beyond the end of the stream".to_owned());
    while !bytes.is_empty() {
        let (start, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut)?;
        if *start != CONTINUATION {
            return Err(ArrowError::IpcError("a message without its beginning".to_owned()));
        }
        let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(cut)?;
        let length = u32::from_le_bytes(*length) as usize;
        if length == 0 {
            // The end of the stream; what follows is not read.
            return Ok(());
        }
        let (header, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        let (_, rest) = rest.split_at_checked(body_bytes(header)?).ok_or_else(cut)?;
        bytes = rest;
    }
    Ok(())
}

fn body_bytes(header: &[u8]) -> Result<usize, ArrowError> {
    let message = root_as_message(header).map_err(|error| ArrowError::IpcError(error.to_string()))?;
    let dictionary = message
        .header_as_dictionary_batch()
        .and_then(|batch| batch.data());
    let rows = message.header_as_record_batch();
    if dictionary
        .or(rows)
        .is_some_and(|batch| batch.compression().is_some())
    {
        return Err(ArrowError::IpcError("compressed values are not taken".to_owned()));
    }
    usize::try_from(message.bodyLength())
        .map_err(|_| ArrowError::IpcError("a body of negative length".to_owned()))
}

/// Calls the decoder.
///
/// # Errors
/// Its own, and its panics.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, ArrowError> {
    // Nothing of ours is changed inside.
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(ArrowError::IpcError("bytes that cannot be decoded".to_owned())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use arrow::ipc::CompressionType;
    use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};

    use super::*;

    fn stream(compression: Option<CompressionType>) -> Vec<u8> {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![7; 1_000]));
        let batch = RecordBatch::try_from_iter([("a", column)]).unwrap();
        let options = IpcWriteOptions::default()
            .try_with_compression(compression)
            .unwrap();
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    #[test]
    fn compressed_and_cut_streams_are_refused() {
        let plain = stream(None);
        check_stream(&plain).unwrap();
        let compressed = stream(Some(CompressionType::LZ4_FRAME));
        let error = check_stream(&compressed).unwrap_err().to_string();
        assert!(error.contains("compressed"), "{error}");
        // Without the end marker too it is whole; anywhere else it is cut.
        let whole = plain.len() - 8;
        for end in 1..whole {
            let cut = check_stream(&plain[..end]).is_err();
            let between = check_stream(&plain[..end]).is_ok() && end % 8 == 0;
            assert!(cut || between, "{end}");
        }
        for place in 0..64 {
            let mut damaged = plain.clone();
            damaged[place] ^= 0x80;
            // An error or none, and no more than that.
            let _ = check_stream(&damaged);
        }
    }

    #[test]
    fn a_panic_is_an_error() {
        let result: Result<(), _> = guarded(|| panic!("as the decoder might"));
        assert!(result.is_err());
    }
}
