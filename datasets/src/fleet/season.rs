//! The daily and weekly course of what users ask for, in UTC.

use crate::noise::{Draw, lattice, mix, sub_key, unit, wander};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What users come for; each is a route of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    Login = 0,
    Orders = 1,
    Search = 2,
    Articles = 3,
}

/// How many kinds of entry there are.
pub(crate) const ENTRIES: usize = 4;

impl Entry {
    pub(crate) const ALL: [Self; ENTRIES] = [Self::Login, Self::Orders, Self::Search, Self::Articles];

    /// The gateway's route.
    pub(crate) fn route(self) -> &'static str {
        match self {
            Self::Login => "/api/login",
            Self::Orders => "/api/orders",
            Self::Search => "/api/search",
            Self::Articles => "/api/articles",
        }
    }

    /// Requests a second, all instances together, where the season is 1.
    pub(crate) fn peak_rps(self) -> f64 {
        match self {
            Self::Login => 14.0,
            Self::Orders => 22.0,
            Self::Search => 64.0,
            Self::Articles => 30.0,
        }
    }

    /// The share of the peak at each full hour of a working day and of a day at the weekend.
    fn hours(self) -> &'static [[f64; 24]; 2] {
        match self {
            Self::Login => &[
                [
                    0.14, 0.12, 0.11, 0.11, 0.13, 0.22, 0.45, 0.80, 1.00, 0.92, 0.78, 0.70, 0.72, 0.74, 0.68,
                    0.62, 0.58, 0.55, 0.56, 0.54, 0.46, 0.34, 0.24, 0.18,
                ],
                [
                    0.15, 0.13, 0.11, 0.11, 0.11, 0.13, 0.18, 0.27, 0.37, 0.45, 0.49, 0.50, 0.48, 0.45, 0.43,
                    0.43, 0.45, 0.47, 0.49, 0.48, 0.42, 0.33, 0.25, 0.19,
                ],
            ],
            Self::Orders => &[
                [
                    0.22, 0.17, 0.14, 0.13, 0.13, 0.17, 0.26, 0.38, 0.50, 0.58, 0.64, 0.70, 0.75, 0.68, 0.63,
                    0.64, 0.70, 0.80, 0.93, 1.00, 0.96, 0.78, 0.54, 0.34,
                ],
                [
                    0.27, 0.20, 0.16, 0.14, 0.14, 0.15, 0.20, 0.30, 0.46, 0.64, 0.78, 0.85, 0.86, 0.84, 0.84,
                    0.87, 0.92, 0.97, 1.02, 1.04, 0.95, 0.76, 0.55, 0.38,
                ],
            ],
            Self::Search => &[
                [
                    0.20, 0.16, 0.14, 0.13, 0.15, 0.22, 0.36, 0.55, 0.74, 0.86, 0.92, 0.95, 0.97, 0.95, 0.92,
                    0.90, 0.92, 0.95, 0.99, 1.00, 0.90, 0.70, 0.48, 0.30,
                ],
                [
                    0.23, 0.18, 0.15, 0.14, 0.14, 0.16, 0.22, 0.33, 0.47, 0.60, 0.68, 0.72, 0.73, 0.72, 0.71,
                    0.72, 0.74, 0.78, 0.82, 0.83, 0.76, 0.62, 0.45, 0.32,
                ],
            ],
            Self::Articles => &[
                [
                    0.16, 0.13, 0.12, 0.12, 0.15, 0.27, 0.52, 0.84, 1.00, 0.90, 0.76, 0.78, 0.95, 0.86, 0.68,
                    0.62, 0.62, 0.66, 0.70, 0.68, 0.62, 0.50, 0.34, 0.22,
                ],
                [
                    0.18, 0.15, 0.13, 0.12, 0.13, 0.16, 0.24, 0.38, 0.58, 0.74, 0.80, 0.76, 0.70, 0.64, 0.60,
                    0.58, 0.58, 0.62, 0.68, 0.70, 0.62, 0.48, 0.34, 0.24,
                ],
            ],
        }
    }

    /// The share of the peak at an instant without any noise.
    pub(crate) fn season(self, at_ms: i64) -> f64 {
        let hours = self.hours();
        let control = |hour: i64| {
            let weekday = weekday(hour.div_euclid(24) * DAY_MS);
            // Mondays are busier and Fridays quieter than the days between.
            let tilt = [1.04, 1.01, 1.0, 1.0, 0.95, 1.0, 0.97][weekday];
            hours[usize::from(weekday >= 5)][hour.rem_euclid(24) as usize] * tilt
        };
        // Catmull-Rom through the full hours: smooth, and equal to the table where the table speaks.
        let hour = at_ms.div_euclid(HOUR_MS);
        let x = at_ms.rem_euclid(HOUR_MS) as f64 / HOUR_MS as f64;
        let (a, b, c, d) = (
            control(hour - 1),
            control(hour),
            control(hour + 1),
            control(hour + 2),
        );
        let bend = (2.0 * a - 5.0 * b + 4.0 * c - d) * x * x + (3.0 * (b - c) + d - a) * x * x * x;
        (b + 0.5 * ((c - a) * x + bend)).max(0.02)
    }

    /// Requests a second at an instant: season, wandering noise of about ±8 % and, every other day or so, a burst
    /// of a quarter more for a few minutes. `season_at_ms` differs from `at_ms` where an incident holds the season.
    pub(crate) fn rps(self, key: u64, season_at_ms: i64, at_ms: i64) -> f64 {
        self.peak_rps() * self.season(season_at_ms) * (1.0 + 0.16 * wander(key, at_ms)) * burst(key, at_ms)
    }
}

/// Days since Monday, 0 to 6.
pub(crate) fn weekday(at_ms: i64) -> usize {
    // 1 January 1970 was a Thursday.
    (at_ms.div_euclid(DAY_MS) + 3).rem_euclid(7) as usize
}

/// 1, or up to 1.25 during one of the rare bursts: one six-hour cell in eight holds one, of 3 to 8 minutes.
fn burst(key: u64, at_ms: i64) -> f64 {
    const CELL_MS: i64 = 6 * HOUR_MS;
    let events = sub_key(key, Draw::Event, 0);
    let draw = mix(events, at_ms.div_euclid(CELL_MS));
    if !draw.is_multiple_of(8) {
        return 1.0;
    }
    let length_ms = 180_000 + (unit(mix(draw, 1)) * 300_000.0) as i64;
    let start_ms = (unit(mix(draw, 2)) * (CELL_MS - length_ms) as f64) as i64;
    let x = (at_ms.rem_euclid(CELL_MS) - start_ms) as f64 / length_ms as f64;
    if (0.0..1.0).contains(&x) {
        1.0 + x * (1.0 - x) * (1.0 + 0.2 * lattice(draw, at_ms, 30_000))
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday 5 January 2026, 00:00 UTC.
    const MONDAY_MS: i64 = 1_767_571_200_000;

    #[test]
    fn weeks_start_on_monday() {
        assert_eq!(weekday(MONDAY_MS), 0);
        assert_eq!(weekday(MONDAY_MS - 1), 6);
        assert_eq!(weekday(-1), 2, "31 December 1969 was a Wednesday");
    }

    #[test]
    fn season_passes_through_its_table_and_repeats_weekly() {
        let eight = MONDAY_MS + DAY_MS * 2 + 8 * HOUR_MS;
        assert!((Entry::Login.season(eight) - 1.0).abs() < 1e-9);
        assert_eq!(
            Entry::Login.season(eight).to_bits(),
            Entry::Login.season(eight + 7 * DAY_MS).to_bits()
        );
        assert!(
            Entry::Login.season(eight + 3 * DAY_MS) < 0.45,
            "Saturday sleeps in"
        );
        assert!(
            Entry::Login.season(MONDAY_MS + 3 * HOUR_MS) < 0.15,
            "so does the night"
        );
    }

    #[test]
    fn bursts_are_rare_and_mild() {
        let minutes = 14 * 1_440;
        let inside = (0..minutes).filter(|m| burst(5, m * 60_000) > 1.0).count();
        assert!((0..minutes).all(|m| (1.0..1.31).contains(&burst(5, m * 60_000))));
        assert!(inside > 5 && inside < 200, "{inside} minutes");
    }
}
