//! The scripts, a test each. They are written from Prometheus' documentation.

use super::script;

/// All scripts, in the order of the tests below.
pub(super) const NAMES: [&str; 18] = [
    "selectors",
    "ranges",
    "subqueries",
    "rates",
    "extended_ranges",
    "over_time",
    "math",
    "dates",
    "labels",
    "absent",
    "aggregates",
    "operators",
    "matching",
    "classic_histograms",
    "native_histograms",
    "info",
    "durations",
    "errors",
];

macro_rules! scripts {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                script::run(stringify!($name));
            }
        )*

        #[test]
        fn every_script_is_run() {
            let mut on_disk: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/tests/scripts"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter_map(|name| Some(name.strip_suffix(".test")?.to_owned()))
                .collect();
            on_disk.sort();
            let mut named = NAMES;
            named.sort_unstable();
            let mut run = [$(stringify!($name)),*];
            run.sort_unstable();
            assert_eq!((on_disk.as_slice(), run.as_slice()), (named.map(str::to_owned).as_slice(), named.as_slice()));
        }
    };
}

scripts! {
    selectors ranges subqueries rates extended_ranges over_time math dates labels absent aggregates operators matching
    classic_histograms native_histograms info durations errors
}
