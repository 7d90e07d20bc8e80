//! A `Content-Type` header, as far as choosing between formats needs it.

/// `type/subtype; name=value; ...`, borrowed. Type, subtype and parameter names compare without case.
#[derive(Debug, Clone, Copy)]
pub struct MediaType<'a> {
    essence: &'a str,
    parameters: &'a str,
}

impl<'a> MediaType<'a> {
    /// Splits a header's value; never fails, since what is not a media type equals none.
    #[must_use]
    pub fn parse(header: &'a str) -> Self {
        let (essence, parameters) = header.split_once(';').unwrap_or((header, ""));
        Self {
            essence: essence.trim(),
            parameters,
        }
    }

    /// Whether this is `type/subtype`.
    #[must_use]
    pub fn is(&self, essence: &str) -> bool {
        self.essence.eq_ignore_ascii_case(essence)
    }

    /// The value of a parameter, without its quotes.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters
            .split(';')
            .filter_map(|pair| pair.split_once('='))
            .find_map(|(key, value)| {
                key.trim()
                    .eq_ignore_ascii_case(name)
                    .then(|| value.trim().trim_matches('"'))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_compare_as_the_specification_says() {
        let parsed = MediaType::parse("Application/X-Protobuf ; q=1; Proto=\"prometheus.WriteRequest\"");
        assert!(parsed.is("application/x-protobuf"));
        assert_eq!(parsed.parameter("proto"), Some("prometheus.WriteRequest"));
        assert_eq!(parsed.parameter("charset"), None);
        assert!(!MediaType::parse("").is("application/x-protobuf"));
    }
}
