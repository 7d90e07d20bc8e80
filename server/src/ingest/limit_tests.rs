//! Limits at the edge: what of a request is stored, what the sender is told, what is counted.

use barograph_model::MemoryShare;

use super::edge_under_test::{Answer, Edge, NOW_MS, Stored, stored_as};
use super::prompb::{TimeSeries, encode, series};
use super::{IngestLimits, RejectKind};
use crate::tenants::{LimitsConfig, RefusedCounts, TenantId, TenantLimits};

fn limited(each: TenantLimits, named: &[(&str, TenantLimits)]) -> Edge {
    let tenants = named
        .iter()
        .map(|(id, limits)| (TenantId::parse(id).unwrap(), *limits));
    let config = LimitsConfig {
        each,
        tenants: tenants.collect(),
        ..LimitsConfig::default()
    };
    Edge::with_tenants(IngestLimits::default(), config)
}

fn metric(name: &str, samples: i64) -> TimeSeries {
    let samples: Vec<(i64, f64)> = (0..samples).map(|i| (NOW_MS + i, i as f64)).collect();
    series(&[("__name__", name)], &samples)
}

async fn post_as(edge: &Edge, tenant: &str, all: Vec<TimeSeries>) -> Answer {
    let block = snap::raw::Encoder::new().compress_vec(&encode(all)).unwrap();
    edge.post_with(&[("X-Scope-OrgID", tenant)], block).await
}

fn refused(edge: &Edge, tenant: &str) -> Vec<(&'static str, RefusedCounts)> {
    let accounts = edge.sink.tenants().accounts();
    let account = accounts.iter().find(|account| account.name() == tenant).unwrap();
    account.refused().into_iter().collect()
}

#[tokio::test]
async fn known_series_are_stored_and_new_ones_over_the_limit_are_counted() {
    let two = TenantLimits {
        series_max: Some(2),
        ..TenantLimits::default()
    };
    let edge = limited(two, &[]);
    post_as(&edge, "a", vec![metric("one", 1), metric("two", 1)])
        .await
        .expect(204, "");
    let answer = post_as(
        &edge,
        "a",
        vec![
            metric("two", 3),
            metric("three", 2),
            metric("one", 2),
            metric("four", 4),
        ],
    )
    .await;
    answer.expect(
        400,
        "refused 2 new series over a limit (6 samples), in 2 series; the other 5 samples of the request are stored; \
         first refused: three{}: tenant \"a\" may write 2 series (series_max) and does so already",
    );
    assert_eq!(answer.retry_after(), None);
    let at = |i: i64| (NOW_MS + i, i as f64);
    assert_eq!(
        edge.stored(),
        Stored::from([
            stored_as("one", &[at(0), at(1)]),
            stored_as("two", &[at(0), at(1), at(2)]),
        ])
    );
    assert_eq!(
        edge.engine.stats().head_series,
        2,
        "what was refused is not entered"
    );
    // Another spelling of a known series is no new one, another tenant has its own limit.
    let spelled = series(&[("a", ""), ("__name__", "one")], &[(NOW_MS + 9, 9.0)]);
    post_as(&edge, "a", vec![spelled]).await.expect(204, "");
    post_as(&edge, "b", vec![metric("three", 1)])
        .await
        .expect(204, "");
    // Since b's is known now, a may write it.
    post_as(&edge, "a", vec![metric("three", 1)])
        .await
        .expect(204, "");
    let counts = RefusedCounts {
        requests: 1,
        samples: 6,
    };
    assert_eq!(refused(&edge, "a"), [("series_max", counts)]);
    assert_eq!(refused(&edge, "b"), []);
    assert_eq!(edge.sink.stats().rejected(RejectKind::SeriesLimit), 6);
}

#[tokio::test]
async fn new_series_that_come_too_fast_are_a_429_and_the_rest_is_stored() {
    let slow = TenantLimits {
        new_series_per_minute: Some(2),
        ..TenantLimits::default()
    };
    let edge = limited(TenantLimits::default(), &[("slow", slow)]);
    let answer = post_as(
        &edge,
        "slow",
        vec![metric("one", 1), metric("two", 1), metric("three", 1)],
    )
    .await;
    answer.expect(
        429,
        "refused 1 new series over a limit (1 samples), in 1 series; the other 2 samples of the request are stored; \
         first refused: three{}: tenant \"slow\" may begin 2 series a minute (new_series_per_minute) and has begun more",
    );
    assert_eq!(answer.retry_after(), Some("1"));
    assert_eq!(edge.stored().len(), 2);
    assert_eq!(refused(&edge, "slow")[0].0, "new_series_per_minute");
}

#[tokio::test]
async fn samples_over_the_rate_are_refused_before_anything_is_entered() {
    let slow = TenantLimits {
        samples_per_second: Some(10),
        samples_burst: Some(5),
        ..TenantLimits::default()
    };
    let edge = limited(slow, &[]);
    post_as(&edge, "a", vec![metric("one", 105)])
        .await
        .expect(204, "");
    let answer = post_as(&edge, "a", vec![metric("two", 1)]).await;
    answer.expect(
        429,
        "nothing of this request was stored: tenant \"a\" may send 10 samples a second (samples_per_second) and has \
         sent more; send it again later",
    );
    assert_eq!(answer.retry_after(), Some("10"), "100 are owed");
    assert_eq!(edge.engine.stats().head_series, 1);
    let counts = RefusedCounts {
        requests: 1,
        samples: 0,
    };
    assert_eq!(refused(&edge, "a"), [("samples_per_second", counts)]);
    post_as(&edge, "b", vec![metric("two", 1)]).await.expect(204, "");
    let accounts = edge.sink.tenants().accounts();
    let a = accounts.iter().find(|account| account.name() == "a").unwrap();
    assert_eq!((a.samples(), a.series()), (105, 1));
}

#[tokio::test]
async fn a_tenants_labels_may_be_limited_further() {
    let strict = TenantLimits {
        label_names_max: Some(1),
        ..TenantLimits::default()
    };
    let edge = limited(TenantLimits::default(), &[("strict", strict)]);
    let two = || vec![series(&[("__name__", "up"), ("job", "x")], &[(NOW_MS, 1.0)])];
    let answer = post_as(&edge, "strict", two()).await;
    answer.expect(400, "refused 1 series with unacceptable labels (1 samples)");
    assert!(
        answer.text.contains("it has more than 1 labels"),
        "{}",
        answer.text
    );
    post_as(&edge, "default", two()).await.expect(204, "");
    assert_eq!(refused(&edge, "strict")[0].0, "labels");
}

#[tokio::test]
async fn a_write_belongs_to_one_good_tenant() {
    let edge = Edge::new();
    for (tenant, begins) in [
        ("a|b", "nothing was stored: X-Scope-OrgID names several tenants"),
        ("", "nothing was stored: X-Scope-OrgID is empty"),
        ("a/b", "nothing was stored: X-Scope-OrgID \"a/b\" holds '/'"),
    ] {
        post_as(&edge, tenant, vec![metric("one", 1)])
            .await
            .expect(400, begins);
    }
    assert_eq!(edge.stored(), Stored::new());
    let counts = RefusedCounts {
        requests: 3,
        samples: 0,
    };
    assert_eq!(refused(&edge, "(others)"), [("tenant", counts)]);
}

#[tokio::test]
async fn a_request_that_does_not_fit_the_memory_budget_is_to_come_back() {
    let edge = Edge::new();
    let memory = edge.engine.memory();
    post_as(&edge, "a", vec![metric("one", 1)]).await.expect(204, "");
    let all = memory.max_bytes(MemoryShare::Ingest);
    memory.grow(MemoryShare::Ingest, all);
    let answer = post_as(&edge, "a", vec![metric("one", 1)]).await;
    answer.expect(
        503,
        "too many requests are in flight; nothing of this one was stored",
    );
    assert_eq!(answer.retry_after(), Some("1"));
    memory.shrink(MemoryShare::Ingest, all);
    post_as(&edge, "a", vec![metric("one", 1)]).await.expect(204, "");
    assert_eq!(memory.used_bytes(MemoryShare::Ingest), 0);
    memory.observe_resident(usize::MAX);
    assert_eq!(refused(&edge, "a")[0].0, "overload");
}
