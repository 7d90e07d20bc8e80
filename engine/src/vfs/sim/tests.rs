//! The simulated disk keeps what was synced and may lose the rest.

use super::*;

/// Runs `write` on many seeds, cuts the power, and gives every state that was seen.
fn survivors(write: impl Fn(&SimVfs)) -> std::collections::BTreeSet<Vec<(String, Vec<u8>)>> {
    (0..400)
        .map(|seed| {
            let vfs = SimVfs::new(seed);
            vfs.create_dir_all("d").unwrap();
            write(&vfs);
            vfs.restart();
            vfs.files()
                .into_iter()
                .map(|(path, _)| (path.clone(), vfs.read(&path).unwrap().to_vec()))
                .collect()
        })
        .collect()
}

fn state(files: &[(&str, &[u8])]) -> Vec<(String, Vec<u8>)> {
    files
        .iter()
        .map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()))
        .collect()
}

#[test]
fn synced_bytes_under_a_synced_name_always_survive() {
    let seen = survivors(|vfs| {
        let mut file = vfs.create("d/f").unwrap();
        file.append(b"synced").unwrap();
        file.sync().unwrap();
        vfs.sync_dir("d").unwrap();
        file.append(b"xyz").unwrap();
    });
    for (i, files) in seen.iter().enumerate() {
        assert!(files[0].1.starts_with(b"synced"), "state {i}: {files:?}");
    }
    for end in ["", "x", "xy", "xyz", "\0\0\0"] {
        assert!(
            seen.contains(&state(&[("d/f", format!("synced{end}").as_bytes())])),
            "{end:?} is possible"
        );
    }
}

#[test]
fn sectors_of_one_write_are_lost_one_by_one() {
    let seen = survivors(|vfs| {
        let mut file = vfs.create("d/f").unwrap();
        vfs.sync_dir("d").unwrap();
        file.append(&[7; 1024]).unwrap();
    });
    let half: Vec<u8> = [[0; 512], [7; 512]].concat();
    assert!(seen.contains(&state(&[("d/f", &half)])));
}

#[test]
fn names_need_their_folder_synced() {
    let seen = survivors(|vfs| {
        let mut file = vfs.create("d/f").unwrap();
        file.append(b"a").unwrap();
        file.sync().unwrap();
    });
    assert_eq!(seen, [state(&[]), state(&[("d/f", b"a")])].into());
    let seen = survivors(|vfs| {
        vfs.create("d/f").unwrap();
        vfs.sync_dir("d").unwrap();
        vfs.rename("d/f", "g").unwrap();
        vfs.sync_dir("d").unwrap();
    });
    assert_eq!(
        seen,
        [state(&[("d/f", b"")]), state(&[("g", b"")])].into(),
        "both folders, and never both names"
    );
    let seen = survivors(|vfs| {
        vfs.create("d/f").unwrap();
        vfs.create("d/g").unwrap();
        vfs.sync_dir("d").unwrap();
        vfs.remove("d/f").unwrap();
        vfs.remove("d/g").unwrap();
    });
    assert_eq!(seen.len(), 4, "removals are lost one by one: {seen:?}");
}

#[test]
fn a_failed_sync_may_lose_what_a_later_sync_would_have_kept() {
    let seen = survivors(|vfs| {
        let mut file = vfs.create("d/f").unwrap();
        vfs.sync_dir("d").unwrap();
        file.append(b"a").unwrap();
        vfs.fail_sync_after(0);
        file.sync().unwrap_err();
        file.sync().unwrap();
    });
    assert_eq!(seen, [state(&[("d/f", b"")]), state(&[("d/f", b"a")])].into());
}

#[test]
fn the_power_goes_after_the_operation_that_was_named() {
    let vfs = SimVfs::new(1);
    vfs.crash_after(2);
    let mut file = vfs.create("f").unwrap();
    file.append(b"a").unwrap();
    file.sync().unwrap_err();
    assert!(vfs.is_crashed());
    vfs.read("f").unwrap_err();
    let held = { vfs.lock().unwrap_err() };
    assert_eq!(held.to_string(), "simulated power cut");
    vfs.restart();
    assert_eq!(vfs.operations(), 2);
    assert!(
        file.append(b"b")
            .unwrap_err()
            .to_string()
            .contains("open before it")
    );
    let lock = vfs.lock().unwrap();
    assert_eq!(vfs.lock().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    vfs.restart_process();
    let again = vfs.lock().unwrap();
    drop(lock);
    assert_eq!(
        vfs.lock().unwrap_err().kind(),
        io::ErrorKind::WouldBlock,
        "a dead lock frees nothing"
    );
    drop(again);
}

#[test]
fn a_killed_process_loses_nothing_that_the_machine_does_not() {
    let vfs = SimVfs::new(1);
    vfs.create("f").unwrap().append(b"a").unwrap();
    vfs.restart_process();
    assert_eq!(&vfs.read("f").unwrap()[..], b"a");
}

#[test]
fn a_full_disk_takes_what_fits() {
    let vfs = SimVfs::new(1);
    vfs.set_capacity(Some(10));
    let mut file = vfs.create("f").unwrap();
    assert_eq!(
        file.preallocate(11).unwrap_err().kind(),
        io::ErrorKind::StorageFull
    );
    file.preallocate(8).unwrap();
    file.append(b"1234567").unwrap();
    assert_eq!(
        file.append(b"89abc").unwrap_err().kind(),
        io::ErrorKind::StorageFull
    );
    assert_eq!((file.len(), &vfs.read("f").unwrap()[..]), (7, &b"123456789a"[..]));
    file.truncate(7).unwrap();
    let mut other = vfs.create("g").unwrap();
    other.append(b"xyz").unwrap();
    other.append(b"!").unwrap_err();
    vfs.remove("f").unwrap();
    other.append(b"!").unwrap();
    assert_eq!(vfs.used_bytes(), 4);
}

#[test]
fn the_same_seed_does_the_same() {
    let run = |seed| {
        let vfs = SimVfs::new(seed);
        for i in 0..20 {
            let mut file = vfs.create(&format!("f{i}")).unwrap();
            file.append(&[i; 2000]).unwrap();
        }
        vfs.restart();
        vfs.files()
            .iter()
            .map(|(path, _)| (path.clone(), vfs.read(path).unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn folders_are_listed_as_a_disk_lists_them() {
    let vfs = SimVfs::new(1);
    vfs.create_dir_all("a/b").unwrap();
    vfs.create("a/f").unwrap();
    vfs.create("top").unwrap();
    assert_eq!(vfs.list("").unwrap(), ["a", "top"]);
    assert_eq!(vfs.list("a").unwrap(), ["b", "f"]);
    assert_eq!(vfs.list("ab").unwrap(), Vec::<String>::new());
    assert_eq!(vfs.create("x/f").unwrap_err().kind(), io::ErrorKind::NotFound);
    vfs.flip_bit("top", 3);
    assert!(vfs.read("top").unwrap().is_empty());
}
