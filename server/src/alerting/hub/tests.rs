use barograph_alerts::{Event, Options};
use barograph_engine::vfs::{SimVfs, for_each_seed};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::alerting::test_hub::{DIR, TestHub};

fn events(hub: &AlertHub) -> Vec<Arc<Event>> {
    hub.read(|store| store.events_after(0).events.cloned().collect())
}

#[test]
fn state_and_identity_survive_a_kill() {
    let first = TestHub::new(Options::default());
    first.grow_to(7);
    let (log_id, before) = (first.hub.log_id(), events(&first.hub));
    let vfs = first.vfs.clone();
    drop(first);
    vfs.restart_process();
    let second = TestHub::open(vfs, Options::default()).unwrap();
    assert_eq!((second.hub.log_id(), events(&second.hub)), (log_id, before));
    assert_eq!(*second.hub.watch().borrow(), 7);
}

#[test]
fn another_data_directory_is_another_log() {
    let log_id = |seed| {
        TestHub::open(SimVfs::new(seed), Options::default())
            .unwrap()
            .hub
            .log_id()
    };
    assert_ne!(log_id(1), log_id(2));
}

#[test]
fn subscribers_hear_of_events_that_are_there() {
    let test = TestHub::new(Options::default());
    let mut watch = test.hub.watch();
    assert!(!watch.has_changed().unwrap());
    test.evaluate(1, &["a"]).unwrap();
    assert!(watch.has_changed().unwrap());
    let told = *watch.borrow_and_update();
    assert_eq!(told, test.hub.read(|store| store.last_seq()));
    test.evaluate(2, &["a"]).unwrap();
    assert!(!watch.has_changed().unwrap(), "nothing has happened");
}

#[test]
fn a_full_disk_changes_nothing_and_is_no_end() {
    let test = TestHub::new(Options::default());
    test.grow_to(2);
    let before = events(&test.hub);
    test.vfs.set_capacity(Some(test.vfs.used_bytes()));
    let mut failures = 0;
    // The log has room that was taken beforehand, so it fills only after a while.
    for second in 100..50_000 {
        let hosts: &[&str] = if second % 2 == 0 { &["a"] } else { &[] };
        let count = events(&test.hub).len();
        if let Err(error) = test.evaluate(second, hosts) {
            assert!(error.to_string().starts_with("alert journal: "), "{error}");
            assert_eq!(events(&test.hub).len(), count, "{error}");
            failures += 1;
        }
        if failures == 3 {
            break;
        }
    }
    assert_eq!(failures, 3);
    test.vfs.set_capacity(None);
    let full = events(&test.hub).len() as u64;
    test.grow_to(full + 3);
    let vfs = test.vfs.clone();
    let after = events(&test.hub);
    drop(test);
    vfs.restart();
    let again = TestHub::open(vfs, Options::default()).unwrap();
    assert_eq!(events(&again.hub), after);
    assert_eq!(after[..before.len()], before);
}

#[test]
fn a_checkpoint_of_another_kind_is_refused() {
    let vfs = SimVfs::new(1);
    let (journal, _) = Journal::open(Arc::new(vfs.clone()), DIR).unwrap();
    journal.checkpoint(b"BAROHUB\x02whatever").unwrap();
    drop(journal);
    let error = AlertHub::open(Arc::new(vfs), DIR, Options::default()).unwrap_err();
    assert!(error.to_string().contains("newer Barograph"), "{error}");
}

#[test]
fn a_damaged_checkpoint_costs_nothing_and_two_cost_the_state_but_not_the_start() {
    let first = TestHub::new(Options::default());
    first.grow_to(5);
    first.hub.close().unwrap();
    let (vfs, log_id, before) = (first.vfs.clone(), first.hub.log_id(), events(&first.hub));
    drop(first);
    vfs.flip_bit("alerts/checkpoint", 400);
    let second = TestHub::open(vfs.clone(), Options::default()).unwrap();
    assert_eq!((second.hub.log_id(), events(&second.hub)), (log_id, before));
    assert_eq!(second.hub.damage().len(), 1, "{:?}", second.hub.damage());
    drop(second);
    for path in ["alerts/checkpoint", "alerts/checkpoint.copy"] {
        vfs.flip_bit(path, 400);
    }
    let third = TestHub::open(vfs.clone(), Options::default()).unwrap();
    assert_eq!(events(&third.hub), []);
    assert_ne!(third.hub.log_id(), log_id, "its numbers are given out again");
    let told = format!("{:?}", third.hub.damage());
    assert!(told.contains("alert state is lost"), "{told}");
    third.grow_to(3);
    let (log_id, after) = (third.hub.log_id(), events(&third.hub));
    drop(third);
    let fourth = TestHub::open(vfs, Options::default()).unwrap();
    assert_eq!((fourth.hub.log_id(), events(&fourth.hub)), (log_id, after));
    assert_eq!(fourth.hub.damage(), []);
}

/// A flipped bit in a record costs it and those behind it, which mean nothing without it; nothing is made up.
#[test]
fn sim_a_damaged_record_leaves_a_state_that_was_there_once() {
    for_each_seed(40, |seed| {
        let first = TestHub::open(SimVfs::new(seed), Options::default()).unwrap();
        first.grow_to(12);
        let (vfs, log_id, before) = (first.vfs.clone(), first.hub.log_id(), events(&first.hub));
        drop(first);
        let log = vfs
            .files()
            .into_iter()
            .rfind(|(path, _)| path.ends_with(".wal"))
            .unwrap();
        // Before the reserved part, which is empty.
        let used = vfs
            .read(&log.0)
            .unwrap()
            .iter()
            .rposition(|byte| *byte != 0)
            .unwrap() as u64;
        vfs.flip_bit(&log.0, ChaCha8Rng::seed_from_u64(seed).random_range(0..used * 8));
        let second = TestHub::open(vfs.clone(), Options::default()).unwrap();
        let found = events(&second.hub);
        assert!(before.starts_with(&found), "{} of {}", found.len(), before.len());
        let is_told = second.hub.damage().iter().any(|d| d.path == DIR);
        assert_eq!(is_told, second.hub.log_id() != log_id);
        // The last record cannot be told from one that was never finished.
        assert!(
            found == before || is_told || found.len() >= before.len() - 2,
            "{found:?}"
        );
        second.grow_to(found.len() as u64 + 2);
        let after = events(&second.hub);
        drop(second);
        let third = TestHub::open(vfs, Options::default()).unwrap();
        assert_eq!(events(&third.hub), after);
    });
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_a_whole_commit() {
    let test = TestHub::new(Options::default());
    test.grow_to(1);
    let (planning, begun) = std::sync::mpsc::channel();
    let (go_on, gate) = std::sync::mpsc::channel::<()>();
    let mut commit = Box::pin(test.hub.commit_with(move |store| {
        planning.send(()).unwrap();
        gate.recv().unwrap();
        (store.plan_expiry(barograph_model::TimestampMs(i64::MAX)), ())
    }));
    let polled = futures::poll!(commit.as_mut());
    assert!(polled.is_pending());
    begun.recv().unwrap();
    drop(commit);
    go_on.send(()).unwrap();
    // The writer's lock is free when the commit has ended, so this plan sees it whole.
    test.hub
        .commit(|store| store.plan_restart(barograph_model::TimestampMs(0)))
        .await
        .unwrap();
    let kept = events(&test.hub);
    let vfs = test.vfs.clone();
    drop(test);
    assert_eq!(events(&TestHub::open(vfs, Options::default()).unwrap().hub), kept);
}

/// Commits and checkpoints until the process is killed or the power goes at a random operation. What was
/// acknowledged is there, and so is what a start has shown: a subscriber may have seen it.
#[test]
fn sim_acknowledged_changes_survive_kills_and_power_cuts() {
    for_each_seed(40, |seed| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let vfs = SimVfs::new(seed);
        let mut acknowledged: Vec<Arc<Event>> = Vec::new();
        let mut log_id = None;
        let mut second = 0;
        for _ in 0..6 {
            vfs.crash_after(random.random_range(0..60));
            if let Ok(test) = TestHub::open(vfs.clone(), Options::default()) {
                let found = events(&test.hub);
                assert!(
                    found.starts_with(&acknowledged),
                    "{} of {}",
                    found.len(),
                    acknowledged.len()
                );
                assert_eq!(*log_id.get_or_insert(test.hub.log_id()), test.hub.log_id());
                acknowledged = found;
                for _ in 0..40 {
                    second += 1;
                    let hosts: &[&str] = [&[][..], &["a"], &["b"], &["a", "b"]][random.random_range(0..4)];
                    match random.random_range(0..10) {
                        0 => drop(test.hub.close()),
                        _ if test.evaluate(second, hosts).is_ok() => acknowledged = events(&test.hub),
                        _ => break,
                    }
                }
            }
            if random.random_bool(0.5) {
                vfs.restart()
            } else {
                vfs.restart_process()
            }
        }
        vfs.restart();
        let test = TestHub::open(vfs, Options::default()).unwrap();
        assert!(events(&test.hub).starts_with(&acknowledged));
    });
}
