//! Addresses to listen on: `host:port`, or `off`.

use std::fmt;

/// Where an edge listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// The edge is not offered.
    Off,
    /// `host:port`; the host is an IP address (IPv6 in brackets) or a name, port 0 lets the system choose.
    At(String),
}

impl Listen {
    /// Reads `off` or `host:port`. Names are resolved only when the address is bound.
    ///
    /// # Errors
    /// A message that follows the name of the setting: `":7117" is not an address (try "0.0.0.0:7117")`.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let error = |hint: String| Err(format!("{text:?} is not an address (try {hint:?}, or \"off\")"));
        if text.parse::<u16>().is_ok() {
            return error(format!("127.0.0.1:{text}"));
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            let host = if is_host(text) { text } else { "127.0.0.1" };
            return error(format!("{host}:7117"));
        };
        let port_is_good = !port.starts_with('+') && port.parse::<u16>().is_ok();
        if host.is_empty() && port_is_good {
            return error(format!("0.0.0.0:{port}"));
        }
        let host_is_good = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inside) => inside.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_host(host),
        };
        match (host_is_good, port_is_good) {
            (true, true) => Ok(Self::At(text.to_owned())),
            (true, false) => error(format!("{host}:7117")),
            (false, _) if text.parse::<std::net::Ipv6Addr>().is_ok() => error(format!("[{text}]:7117")),
            (false, true) => error(format!("127.0.0.1:{port}")),
            (false, false) => error("127.0.0.1:7117".to_owned()),
        }
    }

    /// The address, `None` for `off`.
    #[must_use]
    pub fn address(&self) -> Option<&str> {
        match self {
            Self::Off => None,
            Self::At(address) => Some(address),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.address().unwrap_or("off"))
    }
}

/// Whether a text can be an IPv4 address or a host's name (RFC 1123, with the underscores that exist in fact).
fn is_host(text: &str) -> bool {
    let part_is_good = |part: &str| {
        !part.is_empty()
            && part.len() <= 63
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    let looks_like_ipv4 = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if looks_like_ipv4 {
        text.parse::<std::net::Ipv4Addr>().is_ok()
    } else {
        text.split('.').all(part_is_good)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses() {
        for text in [
            "127.0.0.1:7117",
            "localhost:0",
            "[::1]:7118",
            "0.0.0.0:65535",
            "db-1.example.com:80",
        ] {
            assert_eq!(Listen::parse(text), Ok(Listen::At(text.to_owned())));
        }
        assert_eq!(Listen::parse("off"), Ok(Listen::Off));
    }

    #[test]
    fn refuses_with_the_nearest_right_text() {
        for (text, hint) in [
            (":7117", "0.0.0.0:7117"),
            ("7117", "127.0.0.1:7117"),
            ("localhost", "localhost:7117"),
            ("localhost:", "localhost:7117"),
            ("localhost:70000", "localhost:7117"),
            ("localhost:+80", "localhost:7117"),
            ("::1", "[::1]:7117"),
            ("300.1.1.1:80", "127.0.0.1:80"),
            ("http://host:80", "127.0.0.1:80"),
            ("", "127.0.0.1:7117"),
        ] {
            let expected = format!("{text:?} is not an address (try {hint:?}, or \"off\")");
            assert_eq!(Listen::parse(text), Err(expected));
        }
    }
}
