//! Limits of several tenants over one head, at the level of admissions.

use std::sync::{Arc, LazyLock};

use barograph_engine::vfs::SimVfs;
use barograph_engine::{Engine, Head, Options, SeriesRef};
use barograph_model::{Clock, ManualClock, TimestampMs};

use super::*;
use crate::ingest::LabelLimits;

const MINUTE_MS: i64 = 60_000;

fn id(name: &str) -> TenantId {
    TenantId::parse(name).unwrap()
}

fn tenants(config: LimitsConfig, has_history: bool) -> (Arc<Tenants>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(TimestampMs(0)));
    let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    (
        Tenants::new(config, LabelLimits::default(), has_history, shared),
        clock,
    )
}

fn series_max(max: u64) -> TenantLimits {
    TenantLimits {
        series_max: Some(max),
        ..TenantLimits::default()
    }
}

/// A head whose numbers tests make up.
fn head() -> Head {
    static HEAD: LazyLock<Head> = LazyLock::new(another_head);
    HEAD.clone()
}

fn another_head() -> Head {
    let clock = Arc::new(ManualClock::new(TimestampMs(0)));
    let options = Options {
        background: false,
        ..Options::default()
    };
    let disk = Arc::new(SimVfs::new(1));
    Engine::open(disk, clock, options).unwrap().head()
}

/// Brings new series of these numbers; gives how many were admitted and why the first was not.
fn bring(
    tenants: &Arc<Tenants>,
    name: &str,
    numbers: std::ops::Range<u32>,
    known: usize,
) -> (usize, Option<LimitRefusal>) {
    let mut admission = tenants.admit(&id(name));
    let (mut refs, mut refusal) = (Vec::new(), None);
    for (place, number) in numbers.enumerate() {
        refs.push(match admission.new_series(place, known, usize::MAX) {
            Ok(()) => Some(SeriesRef(number)),
            Err(error) => {
                refusal.get_or_insert(error);
                None
            }
        });
    }
    admission.entered(&refs, &head(), &head());
    (refs.iter().flatten().count(), refusal)
}

fn series_of(tenants: &Tenants, name: &str) -> u64 {
    let accounts = tenants.accounts();
    accounts
        .iter()
        .find(|a| a.name() == name)
        .map_or(0, |a| a.series())
}

#[test]
fn series_are_limited_for_each_and_for_all() {
    let config = LimitsConfig {
        global: series_max(12),
        each: series_max(5),
        tenants: [(id("big"), series_max(100))].into(),
        ..LimitsConfig::default()
    };
    let (tenants, clock) = tenants(config, false);
    let (taken, refusal) = bring(&tenants, "a", 0..8, 0);
    assert_eq!(taken, 5);
    assert_eq!(
        refusal.unwrap().to_string(),
        "tenant \"a\" may write 5 series (series_max) and does so already"
    );
    let (taken, refusal) = bring(&tenants, "big", 100..120, 5);
    assert_eq!(taken, 7);
    assert!(
        refusal
            .unwrap()
            .to_string()
            .starts_with("all tenants together may write 12 series")
    );
    assert_eq!((series_of(&tenants, "a"), series_of(&tenants, "big")), (5, 7));

    // What is known is written on, by whomever, and stays with its first tenant.
    let mut admission = tenants.admit(&id("b"));
    admission.entered(&[Some(SeriesRef(0)), Some(SeriesRef(100))], &head(), &head());
    assert_eq!(series_of(&tenants, "b"), 0);

    // After an idle hour there is room again.
    clock.advance_ms(70 * MINUTE_MS);
    tenants.tick();
    assert_eq!(series_of(&tenants, "a"), 0);
    assert_eq!(bring(&tenants, "a", 0..8, 0).0, 5);
}

#[test]
fn an_admission_that_is_given_up_takes_nothing() {
    let config = LimitsConfig {
        each: series_max(3),
        ..LimitsConfig::default()
    };
    let (tenants, _) = tenants(config, false);
    let mut admission = tenants.admit(&id("a"));
    for place in 0..3 {
        admission.new_series(place, 0, 10).unwrap();
    }
    assert!(admission.new_series(3, 0, 10).is_err());
    drop(admission);
    let mut admission = tenants.admit(&id("a"));
    assert_eq!(
        admission.new_series(0, 7, 0).unwrap_err(),
        LimitRefusal::Memory { series: 7 }
    );
    admission.new_series(0, 0, 1).unwrap();
    // The head has not entered it after all.
    admission.entered(&[None], &head(), &head());
    assert_eq!(series_of(&tenants, "a"), 0);
}

#[test]
fn a_renewed_head_does_not_open_the_gate() {
    let config = LimitsConfig {
        each: series_max(5),
        ..LimitsConfig::default()
    };
    let (tenants, clock) = tenants(config, false);
    bring(&tenants, "a", 0..5, 0);
    let renewed = another_head();
    let mut late = tenants.admit(&id("a"));
    late.entered(&[Some(SeriesRef(0))], &head(), &renewed);
    assert_eq!(
        series_of(&tenants, "a"),
        5,
        "numbers of a head that is no more mean nothing"
    );
    tenants.admit(&id("b")).entered(&[], &renewed, &renewed);
    assert_eq!(series_of(&tenants, "a"), 0);
    let mut admission = tenants.admit(&id("a"));
    assert!(
        admission.new_series(0, 5, 10).is_err(),
        "the five may still be there"
    );
    admission.entered(&[Some(SeriesRef(0)), Some(SeriesRef(1))], &renewed, &renewed);
    clock.advance_ms(6 * MINUTE_MS);
    let mut admission = tenants.admit(&id("a"));
    for place in 0..3 {
        admission.new_series(place, 2, 10).unwrap();
    }
    assert!(
        admission.new_series(3, 2, 10).is_err(),
        "two are, and three are new"
    );
}

#[test]
fn new_series_are_rated_once_the_head_has_met_the_old_ones() {
    let limits = TenantLimits {
        new_series_per_minute: Some(60),
        ..TenantLimits::default()
    };
    let config = LimitsConfig {
        each: limits,
        ..LimitsConfig::default()
    };
    let (tenants, clock) = tenants(config, true);
    assert_eq!(
        bring(&tenants, "a", 0..500, 0).0,
        500,
        "nobody knows whether they are new"
    );
    clock.advance_ms(6 * MINUTE_MS);
    let (taken, refusal) = bring(&tenants, "a", 500..700, 500);
    assert_eq!(taken, 60);
    let refusal = refusal.unwrap();
    assert_eq!(refusal.retry_after_s(), Some(1));
    assert!(
        refusal.to_string().contains("may begin 60 series a minute"),
        "{refusal}"
    );
    clock.advance_ms(10_000);
    assert_eq!(bring(&tenants, "a", 700..800, 560).0, 10);
    assert_eq!(bring(&tenants, "b", 900..950, 570).0, 50, "each has its own");
}

#[test]
fn samples_are_rated_for_each_and_for_all() {
    let rate = |per_second, burst| TenantLimits {
        samples_per_second: Some(per_second),
        samples_burst: burst,
        ..TenantLimits::default()
    };
    let config = LimitsConfig {
        global: rate(1000, Some(1500)),
        each: rate(100, None),
        tenants: [(id("big"), rate(10_000, None))].into(),
        ..LimitsConfig::default()
    };
    let (tenants, clock) = tenants(config, false);
    let small = tenants.admit(&id("a"));
    small.check().unwrap();
    small.samples(1000).unwrap();
    let refusal = small.samples(1).unwrap_err();
    assert_eq!(
        (refusal.retry_after_s(), refusal.reason()),
        (Some(1), "samples_per_second")
    );
    assert!(small.check().is_err(), "known before the body is read");
    let big = tenants.admit(&id("big"));
    big.samples(600).unwrap();
    let refusal = big.samples(1).unwrap_err();
    assert!(
        refusal
            .to_string()
            .starts_with("all tenants together may send 1000"),
        "{refusal}"
    );
    assert_eq!(refusal.to_refusal().status, 429);
    clock.advance_ms(2000);
    small.samples(10).unwrap();
    big.samples(10).unwrap();
}

#[test]
fn tenants_beyond_the_bound_share_an_account() {
    let config = LimitsConfig {
        each: series_max(2),
        tenants: [(id("named"), TenantLimits::default())].into(),
        tenants_max: 2,
        ..LimitsConfig::default()
    };
    let (tenants, _) = tenants(config, false);
    for (i, name) in ["a", "b", "c", "d", "named"].into_iter().enumerate() {
        let first = i as u32 * 10;
        bring(&tenants, name, first..first + 2, 0);
    }
    let names: Vec<String> = tenants.accounts().iter().map(|a| a.name().to_owned()).collect();
    assert_eq!(names, ["(others)", "named", "a", "b"]);
    assert_eq!(
        series_of(&tenants, "(others)"),
        2,
        "c has taken what d could have had"
    );
    let refusal = bring(&tenants, "e", 100..101, 0).1.unwrap();
    assert!(
        refusal.to_string().starts_with("the tenants beyond tenants_max"),
        "{refusal}"
    );
}

#[test]
fn labels_may_be_limited_further_and_not_less() {
    let limits = |names, value| TenantLimits {
        label_names_max: names,
        label_value_bytes_max: value,
        ..TenantLimits::default()
    };
    let config = LimitsConfig {
        global: limits(Some(20), Some(1 << 20)),
        each: limits(Some(30), None),
        tenants: [(id("strict"), limits(Some(5), Some(100)))].into(),
        ..LimitsConfig::default()
    };
    let (tenants, _) = tenants(config, false);
    let caps = |name: &str| {
        let labels = *tenants.admit(&id(name)).labels();
        (labels.count_max, labels.name_bytes_max, labels.value_bytes_max)
    };
    assert_eq!(caps("a"), (20, 512, 4096));
    assert_eq!(caps("strict"), (5, 512, 100));
}

#[test]
fn refusals_are_counted_by_tenant_and_reason() {
    let (tenants, _) = tenants(LimitsConfig::default(), false);
    let admission = tenants.admit(&id("a"));
    admission.refused("series_max", 3, "up{}: too many");
    admission.refused("series_max", 4, "up{}: too many");
    admission.refused("overload", 0, "too much");
    let refused = admission.account().refused();
    let counts = |requests, samples| RefusedCounts { requests, samples };
    assert_eq!(
        refused.into_iter().collect::<Vec<_>>(),
        [("overload", counts(1, 0)), ("series_max", counts(2, 7))]
    );
}
