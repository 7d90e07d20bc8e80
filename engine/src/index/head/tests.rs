use super::*;

fn labels(metric: &str, job: &str) -> Labels {
    Labels::from_pairs([("__name__", metric), ("job", job)]).unwrap()
}

#[test]
fn two_spellings_are_one_series() {
    let head = Head::new(1);
    let mut asked = 0;
    let fingerprints = [
        head.fingerprint(b"spelling one"),
        head.fingerprint(b"spelling two"),
    ];
    for _ in 0..2 {
        let found = head.resolve(
            &fingerprints,
            &mut |_| {
                asked += 1;
                Some(labels("up", "node"))
            },
            &mut |_| true,
        );
        assert_eq!(found, [Some(SeriesRef(0)), Some(SeriesRef(0))]);
    }
    assert_eq!((asked, head.len()), (2, 1));
}

#[test]
fn what_is_not_defined_is_left_out_and_asked_again() {
    let head = Head::new(1);
    let fingerprint = head.fingerprint(b"bad");
    for _ in 0..2 {
        assert_eq!(head.resolve(&[fingerprint], &mut |_| None, &mut |_| true), [None]);
        let found = head.resolve(&[fingerprint], &mut |_| Some(labels("up", "a")), &mut |_| false);
        assert_eq!(found, [None]);
    }
    assert!(head.is_empty());
}

#[test]
fn ids_depend_on_labels_and_key_alone() {
    let (one, two, other) = (Head::new(1), Head::new(1), Head::new(2));
    let _ = two.series(&labels("up", "b"));
    let a = labels("up", "a");
    assert_eq!(one.id_of(&a), two.id_of(&a));
    assert_ne!(one.id_of(&a), other.id_of(&a));
    assert_ne!(one.id_of(&a), one.id_of(&labels("up", "b")));
}

#[test]
fn a_taken_id_gives_way() {
    let head = Head::new(1);
    let mut series = head.write();
    let first = series.enter(SeriesId(i64::MAX), &labels("up", "a"));
    let second = series.enter(SeriesId(i64::MAX), &labels("up", "b"));
    assert_eq!(series.enter(SeriesId(i64::MAX), &labels("up", "b")), second);
    assert_ne!(first, second);
    assert_eq!(series.ids[second.0 as usize], SeriesId(0));
}

#[test]
fn only_what_is_new_is_asked_for_admission() {
    let head = Head::new(1);
    let _ = head.series(&labels("up", "a"));
    let fingerprints = [b"known", b"newer"].map(|raw| head.fingerprint(raw));
    let mut asked = Vec::new();
    let mut define = |i| Some(labels("up", ["a", "b"][i]));
    let found = head.resolve(&fingerprints, &mut define, &mut |i| {
        asked.push(i);
        true
    });
    assert_eq!(
        (asked, found),
        (vec![1], vec![Some(SeriesRef(0)), Some(SeriesRef(1))])
    );
}

#[test]
fn a_renewed_head_has_what_was_kept_with_its_ids_and_spellings() {
    let head = Head::new(9);
    let spelling = head.fingerprint(b"b");
    let _ = head.series(&labels("up", "a"));
    let b = head.resolve(&[spelling], &mut |_| Some(labels("up", "b")), &mut |_| true)[0].unwrap();
    let renewed = head.renewed(&RoaringBitmap::from_iter([b.0, 99]));
    assert_eq!(renewed.len(), 1);
    let found = renewed.resolve(&[spelling], &mut |_| panic!("its spelling is known"), &mut |_| {
        true
    })[0]
        .unwrap();
    assert_eq!(renewed.labels(found), labels("up", "b"));
    let mut values = Vec::new();
    renewed.label_values("job", &[], 1, |value| values.push(value.to_owned()));
    assert_eq!(values, ["b"]);
    assert_eq!(renewed.find(&[renewed.id_of(&labels("up", "b"))]), [Some(found)]);
    assert_eq!(renewed.find(&[renewed.id_of(&labels("up", "a"))]), [None]);
    assert!(renewed.heap_bytes() > 0);
}

#[test]
fn selects_in_storage_order() {
    let head = Head::new(3);
    for metric in ["b", "a", "c"] {
        let _ = head.series(&labels(metric, "x"));
    }
    for i in 0..40 {
        let _ = head.series(&labels(["a", "b"][i % 2], &format!("y{i}")));
    }
    let refs = |matchers: &[Matcher]| {
        let selected = head.select(matchers, 43);
        assert!(selected.keys.is_sorted_by(|a, b| a < b));
        assert!(selected.series.is_sorted_by_key(|(_, id, key)| (*key, *id)));
        selected.series.iter().map(|(s, ..)| s.0).collect::<Vec<_>>()
    };
    assert_eq!(refs(&[Matcher::equal("job", "x")]), [1, 0, 2]);
    let all = refs(&[]);
    assert_eq!(all.len(), 43);
    assert_eq!(head.order().sorted().iter().map(|s| s.0).collect::<Vec<_>>(), all);
}
