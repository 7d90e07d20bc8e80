//! Where Prometheus 2.42 answers otherwise, and why. Each of these must differ: what does not is no exception.

/// A query of `queries.txt` as Prometheus is asked, and what is different.
pub struct Explained {
    pub query: &'static str,
    #[allow(dead_code, reason = "for whoever reads")]
    pub why: &'static str,
}

pub const EXPLAINED: &[Explained] = &[];
