//! Texts that others write: forms, metrics to import, lists.

use super::Made;

/// A byte for the path, then a form.
const FORMS: [&str; 8] = [
    "\0query=sum+by+(job)+(rate(up%5B5m%5D))+%2B+1&time=1795386800.5&timeout=1s&limit=2&stats=all&lookback_delta=1m",
    "\x01query=up%7Bjob%3D%22node%22%7D&start=2026-11-22T22:30:00Z&end=1795386800&step=15s&rollup=auto",
    "\x02match[]=up&match[]=%7Bjob!%3D%22%22%7D&start=1795383200&limit=1",
    "\x03match[]=%7B__name__%3D~%22u.%2B%22%7D&end=1795386800&start=-292273086-05-16T16:47:06Z",
    "\x04query=up+and+http_requests_total%7Ba%3D%22b%22%7D&start=1795383200&end=1795386800",
    "\x05query=label_replace(a%3Ab,+%22c%22,+%22$1%22,+%22d%22,+%22(.*)%22)+%23+x",
    "\x06query=topk(3,b+@+start())offset+-5m&query=again",
    "\0query=histogram_quantile(0.9,rate(http_requests_total[5m:15s]))",
];

const OPENMETRICS: [&str; 2] = [
    "# HELP up Whether it is up.\n# TYPE up gauge\nup{job=\"a\",instance=\"b:1\"} 1 1700000000.123\nup{job=\"a\",instance=\"b:1\"} 0 1700000015\n\
     http_total{a=\"\\\"}\\n\"} 1.5e3 1700000000 # {trace_id=\"x\"} 0.6 1.2\n{\"my metric\",\"a.b\"=\"\\\\\"} NaN 1e9\n# EOF\n",
    "up 1 1\nup -Inf 2.5\n# EOF\n",
];

const DUMP: [&str; 2] = [
    "{__name__=\"up\", job=\"a\\u00e9\\x41\\t\"} 1 1700000000000\n{__name__=\"up\", job=\"a\"} NaN 1700000015000\n\n",
    "{\"my metric\", a=\"} 1\"} -0 5\n{ b = \"c\" , } 1e+06 6\n",
];

/// What follows the first line.
const BACKUP: &str = r#"{"name":"20261125T222717084Z-1f0a4bb2c9d3e577","taken_ms":1795386800000,"barograph":"0.1.0",
"segments":[{"name":"segments/1764104400000-00000007","rows":12,"series":3,"ts_min":1,"ts_max":2}],
"files":[{"path":"MANIFEST","bytes":120,"crc32c":12648430},
{"path":"segments/1764104400000-00000007.samples.parquet","bytes":4096,"crc32c":439041101}]}"#;

const VIEWS: &str = r#"[{"name":"api","definition":"SELECT ts, value FROM up WHERE job = 'api'"},
{"name":"ü","definition":"SELECT 1"}]"#;

pub(super) fn made() -> Made {
    let bytes = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    vec![
        ("prometheus-form", bytes(&FORMS)),
        ("openmetrics", bytes(&OPENMETRICS)),
        ("tsdb-dump", bytes(&DUMP)),
        ("backup-list", bytes(&[BACKUP])),
        ("views", bytes(&[VIEWS])),
    ]
}
