//! A stream that ends in an error where a message claims to be too long, before any of it is buffered, and where one has not
//! the shape of its type, before its last byte is handed on: whoever decodes it never sees it whole.
//!
//! After the startup message, which has no type, a message is a byte of type, a length of four bytes that counts itself, and
//! the rest of that length.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::shape::{has_shape, has_startup_shape};

/// Bytes of a message. The text of a query and its parameters are far below it.
const MESSAGE_BYTES_MAX: u32 = 4 << 20;

/// Where in a message the stream stands.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// This many bytes of the head have been seen, and the length so far; `typed` heads have five bytes, the first has four.
    Head { seen: u8, typed: bool, length: u32 },
    /// This many bytes of the body follow.
    Body(u32),
}

/// Looks at what is read from a stream.
#[derive(Debug)]
pub struct FrameLimit<S> {
    /// Read from the stream before, and not looked at yet.
    ahead: Vec<u8>,
    stream: S,
    place: Place,
    /// The message at hand, as far as it has come; the first has no type.
    kind: Option<u8>,
    body: Vec<u8>,
    has_password: bool,
}

impl<S> FrameLimit<S> {
    /// A stream that begins with the startup message, of which some bytes have been read already.
    #[must_use]
    pub fn new(ahead: Vec<u8>, stream: S) -> Self {
        let place = Place::Head {
            seen: 0,
            typed: false,
            length: 0,
        };
        Self {
            ahead,
            stream,
            place,
            kind: None,
            body: Vec::new(),
            has_password: false,
        }
    }

    /// Follows the messages in some bytes.
    fn follow(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(byte) = bytes.first() {
            match &mut self.place {
                Place::Body(left) => {
                    let taken = (*left as usize).min(bytes.len());
                    *left -= taken as u32;
                    let is_whole = *left == 0;
                    self.body.extend_from_slice(&bytes[..taken]);
                    bytes = &bytes[taken..];
                    if is_whole {
                        self.end_message()?;
                    }
                }
                Place::Head { seen, typed, length } => {
                    if !*typed || *seen > 0 {
                        *length = *length << 8 | u32::from(*byte);
                    } else {
                        self.kind = Some(*byte);
                    }
                    *seen += 1;
                    bytes = &bytes[1..];
                    let (is_whole, length) = (*seen == 4 + u8::from(*typed), *length);
                    if is_whole {
                        if !(4..=MESSAGE_BYTES_MAX).contains(&length) {
                            let message =
                                format!("a message of {length} bytes, 4 to {MESSAGE_BYTES_MAX} are allowed");
                            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
                        }
                        match length - 4 {
                            0 => self.end_message()?,
                            left => self.place = Place::Body(left),
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Looks at a whole message, and goes on to the next.
    fn end_message(&mut self) -> io::Result<()> {
        let body = std::mem::take(&mut self.body);
        let is_right = match self.kind {
            None => has_startup_shape(&body),
            Some(kind) => {
                let is_first_password = kind == b'p' && !self.has_password;
                self.has_password |= is_first_password;
                has_shape(kind, &body, is_first_password)
            }
        };
        if !is_right {
            let kind = self
                .kind
                .map_or("startup".to_owned(), |kind| kind.escape_ascii().to_string());
            let message = format!("a message of type {kind} is not of the shape of its type");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        self.place = Place::Head {
            seen: 0,
            typed: true,
            length: 0,
        };
        Ok(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for FrameLimit<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if self.ahead.is_empty() {
            std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        } else {
            let taken = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead[..taken]);
            self.ahead.drain(..taken);
        }
        let result = self.follow(&buffer.filled()[before..]);
        if result.is_err() {
            buffer.set_filled(before);
        }
        Poll::Ready(result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for FrameLimit<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: usize) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend((body as u32 + 4).to_be_bytes());
        bytes.resize(bytes.len() + body, b'Q');
        bytes
    }

    #[test]
    fn lengths_are_found_however_the_bytes_come() {
        let mut bytes = vec![0, 0, 0, 9, 0, 3, 0, 0, 0];
        for body in [0, 1, 3, 1000, 0] {
            bytes.extend(message(b'd', body));
        }
        let mut long = bytes.clone();
        long.extend([b'P', 0x3f, 0xff, 0xff, 0xff]);
        let mut short = bytes.clone();
        short.extend([b'P', 0, 0, 0, 3]);
        for step in [1, 2, 3, 5, 7, 4096] {
            let follow = |bytes: &[u8]| {
                let mut limit = FrameLimit::new(Vec::new(), ());
                bytes.chunks(step).try_for_each(|chunk| limit.follow(chunk))
            };
            follow(&bytes).unwrap();
            follow(&long[..long.len() - 1]).unwrap();
            assert_eq!(
                follow(&long).unwrap_err().kind(),
                io::ErrorKind::InvalidData,
                "{step}"
            );
            follow(&short).unwrap_err();
            let mut odd = bytes.clone();
            odd.extend(b"Q\0\0\0\x05x");
            follow(&odd).unwrap_err();
        }
        FrameLimit::new(Vec::new(), ())
            .follow(&[0xff, 0xff, 0xff, 0xff])
            .unwrap_err();
    }
}
