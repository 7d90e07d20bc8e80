//! Which services there are, how many instances each has, who calls whom, and how each behaves when all is well.

use std::fmt;

use serde::{Serialize, Serializer};

use super::season::{ENTRIES, Entry};

/// A service of the fleet.
///
/// ```text
/// users -> gateway -> login
///                  -> orders -> search
///                  -> search
///                  -> publishing
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Service {
    /// The edge: every request of a user passes here.
    Gateway = 0,
    /// Logins and sessions.
    Login = 1,
    /// The shop's orders; looks products up in search.
    Orders = 2,
    /// Product search.
    Search = 3,
    /// Articles of the magazine.
    Publishing = 4,
}

/// One route of a service, and the share of each gateway entry that reaches it.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) share_of_entry: [f64; ENTRIES],
    /// Response codes other than 200, each with its usual share.
    pub(crate) other_codes: &'static [(&'static str, f64)],
}

impl Service {
    /// Every service, in the order of the call graph.
    pub const ALL: [Self; 5] = [
        Self::Gateway,
        Self::Login,
        Self::Orders,
        Self::Search,
        Self::Publishing,
    ];

    /// Its name, which is the label `service` and the label `job`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Login => "login",
            Self::Orders => "orders",
            Self::Search => "search",
            Self::Publishing => "publishing",
        }
    }

    /// The services it calls.
    #[must_use]
    pub fn calls(self) -> &'static [Service] {
        match self {
            Self::Gateway => &[Self::Login, Self::Orders, Self::Search, Self::Publishing],
            Self::Orders => &[Self::Search],
            Self::Login | Self::Search | Self::Publishing => &[],
        }
    }

    /// The labels `instance` of its processes.
    #[must_use]
    pub fn instances(self) -> Vec<String> {
        (1..=self.instance_count())
            .map(|i| format!("{}-{i}:8080", self.name()))
            .collect()
    }

    pub(crate) fn instance_count(self) -> usize {
        match self {
            Self::Gateway | Self::Orders | Self::Search => 3,
            Self::Login | Self::Publishing => 2,
        }
    }

    /// The place of its first instance among all instances of the fleet.
    pub(crate) fn first_instance(self) -> usize {
        Self::ALL[..self as usize]
            .iter()
            .map(|s| s.instance_count())
            .sum()
    }

    pub(crate) fn routes(self) -> Vec<Route> {
        let route = |path, share_of_entry, other_codes: &'static [(&'static str, f64)]| Route {
            path,
            share_of_entry,
            other_codes,
        };
        match self {
            Self::Gateway => Entry::ALL
                .iter()
                .map(|entry| {
                    let mut share = [0.0; ENTRIES];
                    share[*entry as usize] = 1.0;
                    route(entry.route(), share, &[("502", 0.0008)])
                })
                .collect(),
            Self::Login => vec![
                route("/login", [1.0, 0.0, 0.0, 0.0], &[("401", 0.06), ("500", 0.0006)]),
                route("/logout", [0.55, 0.0, 0.0, 0.0], &[]),
            ],
            Self::Orders => vec![
                route("/orders", [0.0, 0.35, 0.0, 0.0], &[("500", 0.0012)]),
                route(
                    "/orders/:id",
                    [0.0, 0.65, 0.0, 0.0],
                    &[("404", 0.015), ("500", 0.0008)],
                ),
            ],
            Self::Search => vec![
                route("/search", [0.0, 0.35, 0.55, 0.0], &[("500", 0.001)]),
                route("/suggest", [0.0, 0.0, 0.45, 0.0], &[("500", 0.0005)]),
            ],
            Self::Publishing => vec![
                route("/articles", [0.0, 0.0, 0.0, 0.4], &[("500", 0.0006)]),
                route(
                    "/articles/:id",
                    [0.0, 0.0, 0.0, 0.6],
                    &[("404", 0.03), ("500", 0.0005)],
                ),
            ],
        }
    }

    /// What its error counter tells apart, with each kind's share.
    pub(crate) fn error_types(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Gateway => &[("upstream", 1.0)],
            Self::Login => &[("database", 1.0)],
            Self::Orders => &[("database", 0.7), ("timeout", 0.3)],
            Self::Search => &[("timeout", 1.0)],
            Self::Publishing => &[("storage", 1.0)],
        }
    }

    /// The share of its requests that fail when all is well.
    pub(crate) fn base_error_ratio(self) -> f64 {
        0.0008
    }

    /// Median latency of a quiet hour, in seconds.
    pub(crate) fn base_latency_s(self) -> f64 {
        [0.048, 0.032, 0.061, 0.042, 0.024][self as usize]
    }

    /// CPU seconds that one request costs.
    pub(crate) fn cpu_s_per_request(self) -> f64 {
        [0.0021, 0.0085, 0.0094, 0.0072, 0.0046][self as usize]
    }

    /// Resident memory of a fresh process, in MiB.
    pub(crate) fn base_memory_mib(self) -> f64 {
        [210.0, 340.0, 520.0, 1480.0, 290.0][self as usize]
    }

    /// Threads of an idle process.
    pub(crate) fn base_threads(self) -> f64 {
        [24.0, 32.0, 48.0, 40.0, 20.0][self as usize]
    }

    /// Days of the week (0 = Monday) on which it is routinely deployed.
    pub(crate) fn deploy_weekdays(self) -> &'static [usize] {
        match self {
            Self::Gateway => &[1],
            Self::Login => &[2],
            Self::Orders => &[1, 3],
            Self::Search => &[0, 3],
            Self::Publishing => &[0, 2],
        }
    }

    /// Requests a second that all its instances get from a second's worth of entries.
    pub(crate) fn rps(self, entries: &[f64; ENTRIES]) -> f64 {
        let [login, orders, search, articles] = *entries;
        match self {
            Self::Gateway => login + orders + search + articles,
            Self::Login => 1.55 * login,
            Self::Orders => orders,
            Self::Search => search + 0.35 * orders,
            Self::Publishing => articles,
        }
    }

    /// The same at the top of the season: what its machines are sized for.
    pub(crate) fn peak_rps(self) -> f64 {
        self.rps(&Entry::ALL.map(Entry::peak_rps))
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// How many instances the whole fleet has.
pub(crate) const INSTANCES: usize = 13;

/// The service that an instance of the fleet belongs to.
pub(crate) fn service_of(instance: usize) -> Service {
    Service::ALL
        .iter()
        .rev()
        .copied()
        .find(|s| s.first_instance() <= instance)
        .unwrap_or(Service::Gateway)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_add_up_and_know_their_service() {
        assert_eq!(
            Service::ALL.iter().map(|s| s.instance_count()).sum::<usize>(),
            INSTANCES
        );
        assert_eq!(service_of(0), Service::Gateway);
        assert_eq!(service_of(5), Service::Orders);
        assert_eq!(service_of(12), Service::Publishing);
    }

    #[test]
    fn rates_agree_with_the_routes() {
        let entries = [3.0, 5.0, 7.0, 11.0];
        for service in Service::ALL {
            let by_route: f64 = service
                .routes()
                .iter()
                .map(|r| {
                    r.share_of_entry
                        .iter()
                        .zip(entries)
                        .map(|(share, rps)| share * rps)
                        .sum::<f64>()
                })
                .sum();
            assert!((by_route - service.rps(&entries)).abs() < 1e-9, "{service}");
        }
    }
}
