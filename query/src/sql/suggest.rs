//! The name somebody probably meant.

/// The candidate nearest to what was written, where one is near enough to be meant: at most a third of the
/// characters differ, or one is the beginning of the other. Upper and lower case count as equal.
pub(crate) fn nearest<'a>(written: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_lowercase();
    let length = written.chars().count();
    let allowed = (length / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let lower = candidate.to_lowercase();
        let differs_by = lower.chars().count().abs_diff(length);
        let extends =
            length >= 3 && (lower.starts_with(&written) || written.starts_with(&lower) && lower.len() >= 3);
        // The difference in length bounds the distance from below, which spares most comparisons.
        let distance = if differs_by > allowed {
            if !extends {
                continue;
            }
            allowed + differs_by
        } else {
            let distance = strsim::damerau_levenshtein(&written, &lower);
            if distance > allowed && !extends {
                continue;
            }
            distance
        };
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_beginnings() {
        let names = ["http_requests_total", "up", "node_load1", "Weird"];
        let find = |text| nearest(text, names.iter().copied());
        assert_eq!(find("http_request_total"), Some("http_requests_total"));
        assert_eq!(find("http_requests"), Some("http_requests_total"));
        assert_eq!(find("pu"), Some("up"));
        assert_eq!(find("weird"), Some("Weird"));
        assert_eq!(find("completely_other"), None);
        assert_eq!(find(""), None);
    }
}
