//! What a parser takes, and how much of it.

/// Limits, and the switches of Prometheus for syntax that is still experimental there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseOptions {
    /// A longer text is refused before it is read; at most 4 GiB.
    pub max_bytes: usize,
    /// A tree of more levels is refused. Parsing, dropping and walking a tree all recurse, so this is what keeps a
    /// text of ten thousand brackets from ending the program. A chain of `n` operators has `n` levels.
    pub max_depth: usize,
    /// More regular expressions are refused: each may compile to a megabyte, from a dozen bytes of text.
    pub max_regexes: usize,
    /// `--enable-feature=promql-experimental-functions`
    pub experimental_functions: bool,
    /// `--enable-feature=promql-duration-expr`: arithmetic in durations, as far as it is constant.
    pub duration_expressions: bool,
    /// `--enable-feature=promql-extended-range-selectors`: `anchored` and `smoothed`.
    pub extended_range_selectors: bool,
    /// `--enable-feature=promql-binop-fill-modifiers`: `fill`, `fill_left` and `fill_right`.
    pub fill_modifiers: bool,
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self {
            max_bytes: 1 << 20,
            max_depth: 256,
            max_regexes: 200,
            experimental_functions: false,
            duration_expressions: false,
            extended_range_selectors: false,
            fill_modifiers: false,
        }
    }
}

impl ParseOptions {
    /// The default limits with all experimental syntax.
    #[must_use]
    pub fn experimental() -> Self {
        Self {
            experimental_functions: true,
            duration_expressions: true,
            extended_range_selectors: true,
            fill_modifiers: true,
            ..Self::default()
        }
    }
}
