//! One line of a text, taken apart as far as it is the same for all formats.

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Line<'a> {
    /// A sample.
    Sample(Sample<'a>),
    /// Nothing about samples.
    Other,
    /// The end of an OpenMetrics text.
    Eof,
}

/// A sample whose labels are not read yet: most lines have those of the line before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample<'a> {
    /// Name and braces as they stand there.
    pub(super) series: &'a str,
    /// The length of the name in it.
    pub(super) name_len: usize,
    pub(super) ts_ms: i64,
    pub(super) value: f64,
    /// Whether an exemplar stood behind it.
    pub(super) has_exemplar: bool,
}

impl<'a> Sample<'a> {
    pub(super) fn name(&self) -> &'a str {
        &self.series[..self.name_len]
    }

    pub(super) fn braces(&self) -> &'a str {
        self.series[self.name_len..].trim_start()
    }
}

/// A value as Go and OpenMetrics write it: `1`, `1e+06`, `+Inf`, `NaN`.
///
/// # Errors
/// What is wrong, for people.
pub(super) fn value(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        // The bits that Prometheus gives a NaN that is a value.
        Ok(value) if value.is_nan() => Ok(f64::from_bits(0x7ff8_0000_0000_0001)),
        Ok(value) => Ok(value),
        Err(_) if text.starts_with('{') => {
            Err("a native histogram, which this text does not carry as a whole".to_owned())
        }
        Err(_) => Err(format!("{:?} is not a number", super::labels::shown(text))),
    }
}
