//! The shapes of messages: whether the parts that a body says it has are there.
//!
//! pgwire's decoder takes them for granted, and panics where they are not.

/// What stands where a startup message has its version.
const CANCEL_CODE: [u8; 4] = [4, 210, 22, 46];

/// Whether a whole body is of the shape of its type. Types that pgwire does not know pass; it refuses them itself.
pub(super) fn has_shape(kind: u8, body: &[u8], is_first_password: bool) -> bool {
    let mut rest = Rest(body);
    let found = match kind {
        b'Q' => rest.text(),
        b'P' => rest.text().and_then(|()| rest.text()).and_then(|()| rest.list(4)),
        b'B' => rest
            .text()
            .and_then(|()| rest.text())
            .and_then(|()| rest.list(2))
            .and_then(|()| rest.values())
            .and_then(|()| rest.list(2)),
        b'D' | b'C' => rest.bytes(1).and_then(|()| rest.text()),
        b'E' => rest.text().and_then(|()| rest.bytes(4)),
        b'f' => rest.text(),
        // A client's first answer names its mechanism; what follows is the mechanism's own.
        b'p' if is_first_password => rest.text().and_then(|()| rest.value()),
        b'p' | b'd' => return true,
        b'H' | b'S' | b'X' | b'c' => Some(()),
        _ => return true,
    };
    found.is_some() && rest.0.is_empty()
}

/// As [`has_shape`], of the first message, which has no type: a startup message or a request to cancel.
pub(super) fn has_startup_shape(body: &[u8]) -> bool {
    let mut rest = Rest(body);
    if rest.bytes(4).is_none() {
        return false;
    }
    if body.starts_with(&CANCEL_CODE) {
        return rest.0.len() >= 8;
    }
    // Names and values, and an empty name behind the last: the decoder reads no further than that, and would take what
    // follows for the next message.
    while rest.0 != [0] {
        if rest.0.starts_with(&[0]) || rest.text().and_then(|()| rest.text()).is_none() {
            return false;
        }
    }
    true
}

/// What is left of a body. `None` where it is too short.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn bytes(&mut self, count: usize) -> Option<()> {
        self.0 = self.0.get(count..)?;
        Some(())
    }

    /// A text and the zero behind it.
    fn text(&mut self) -> Option<()> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        self.bytes(end + 1)
    }

    fn count(&mut self) -> Option<usize> {
        let (count, rest) = self.0.split_first_chunk::<2>()?;
        self.0 = rest;
        usize::try_from(i16::from_be_bytes(*count)).ok()
    }

    /// A count and as many parts of one width.
    fn list(&mut self, width: usize) -> Option<()> {
        let count = self.count()?;
        self.bytes(count * width)
    }

    /// A length and as many bytes; -1 is NULL.
    fn value(&mut self) -> Option<()> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        match i32::from_be_bytes(*length) {
            -1 => Some(()),
            length => self.bytes(usize::try_from(length).ok()?),
        }
    }

    fn values(&mut self) -> Option<()> {
        let count = self.count()?;
        (0..count).try_for_each(|_| self.value().ok_or(())).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_send_has_its_shape() {
        for (kind, body) in [
            (b'Q', b"SELECT 1\0".as_slice()),
            (b'P', b"name\0SELECT $1\0\0\x01\0\0\0\x17"),
            (b'B', b"\0\0\0\x01\0\x01\0\x02\0\0\0\x01a\xff\xff\xff\xff\0\0"),
            (b'D', b"S\0"),
            (b'C', b"Pname\0"),
            (b'E', b"\0\0\0\0\0"),
            (b'S', b""),
            (b'p', b"SCRAM-SHA-256\0\0\0\0\x01n"),
        ] {
            assert!(has_shape(kind, body, true), "{}", char::from(kind));
            for end in 0..body.len() {
                assert!(!has_shape(kind, &body[..end], true), "{} {end}", char::from(kind));
            }
            let longer = [body, b"\0"].concat();
            assert!(!has_shape(kind, &longer, true), "{} and more", char::from(kind));
        }
        assert!(has_startup_shape(b"\0\x03\0\0user\0me\0\0"));
        assert!(has_startup_shape(b"\0\x03\0\0\0"));
        for body in [
            b"".as_slice(),
            b"\0\x03\0",
            b"\0\x03\0\0",
            b"\0\x03\0\0user\0\0",
            b"\0\x03\0\0\0\0",
            b"\0\x03\0\0\0x\0\0",
            b"\0\x03\0\0user\0me\0\0Q\0\0\0\x05\0\0",
        ] {
            assert!(!has_startup_shape(body), "{body:?}");
        }
        assert!(has_startup_shape(b"\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02"));
        assert!(!has_startup_shape(b"\x04\xd2\x16\x2e\0\0\0\x01\0\0"));
        assert!(has_shape(b'p', b"c=biws,r=x", false));
        assert!(!has_shape(b'P', b"\0\0\xff\xff", true));
        assert!(!has_shape(b'B', b"\0\0\0\0\0\x01\x80\0\0\0\0\0", true));
    }
}
