//! Backups in a folder: what is restored is what was there, and what is cut short passes for nothing.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::program::{Barograph, PATIENCE, Pairs, Process, Samples, body, now_ms, pairs};

const HOUR_MS: i64 = 3_600_000;

/// Windows of two hours with samples, and so segments.
const WINDOWS: i64 = 40;

/// `barograph` with some words.
pub fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_barograph"));
    command.args(words).stdin(Stdio::null());
    command
}

/// Runs to the end: whether it succeeded, stdout, stderr.
pub fn outcome(command: &mut Command) -> (bool, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

/// Runs to the end, which must be a good one; gives stdout.
pub fn succeed(command: &mut Command) -> String {
    let (is_success, stdout, stderr) = outcome(command);
    assert!(is_success, "{command:?}: {stderr}");
    stdout
}

/// Writes a sample of some series in each window, from `number` on.
pub async fn fill(barograph: &Barograph, number: i64) {
    let now = now_ms();
    let rows: Vec<(Pairs, Vec<(i64, f64)>)> = (0..30)
        .map(|i| {
            let series = pairs(&[
                ("__name__", "kept_total"),
                ("instance", &format!("i{i}")),
                ("job", "backup"),
            ]);
            let samples = (0..WINDOWS).map(|w| (now - w * 2 * HOUR_MS - number, (w * 31 + i) as f64 / 8.0));
            (series, samples.collect())
        })
        .collect();
    let (status, text) = barograph.write(body(&rows)).await.unwrap();
    assert_eq!(status, 204, "{text}");
}

pub async fn everything(barograph: &Barograph) -> Samples {
    barograph
        .samples(now_ms() - (WINDOWS + 2) * 2 * HOUR_MS, now_ms())
        .await
}

/// A stopped store with samples, and them.
async fn stopped_store(root: &Path) -> (Barograph, Samples) {
    let mut barograph = Barograph::new(root);
    barograph.start().await;
    fill(&barograph, 0).await;
    let samples = everything(&barograph).await;
    assert_eq!(samples.len() as i64, 30 * WINDOWS);
    assert_eq!(barograph.terminate().code(), Some(0));
    (barograph, samples)
}

/// Starts a server on a restored directory and compares.
pub async fn check_restored(root: &Path, data_dir: &Path, expected: &Samples) {
    let mut restored = Barograph::new(root).with_data_dir(data_dir.to_owned());
    restored.start().await;
    assert_eq!(&everything(&restored).await, expected);
    assert_eq!(restored.terminate().code(), Some(0));
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files.sort();
    files
}

#[tokio::test]
async fn a_folder_takes_what_it_lacks_and_gives_back_what_was_there() {
    let root = tempfile::tempdir().unwrap();
    let (mut barograph, first) = stopped_store(root.path()).await;
    let (data, target) = (text(&barograph.data_dir), text(&root.path().join("target")));
    let report = succeed(&mut command(&["backup", "--data-dir", &data, &target]));
    assert!(report.contains(&format!("{} samples", first.len())), "{report}");
    assert!(
        !barograph
            .data_dir
            .join("snapshots")
            .read_dir()
            .unwrap()
            .any(|_| true)
    );

    // The second one costs what has changed since, and is made while the server runs.
    barograph = barograph.with_flags(&["--enable-admin-api"]);
    barograph.start().await;
    let series = pairs(&[("__name__", "new_total")]);
    let ts = now_ms();
    barograph.write(body(&[(series, vec![(ts, 1.0)])])).await.unwrap();
    let second = everything(&barograph).await;
    assert_eq!(second.len(), first.len() + 1);
    let (is_success, _, stderr) = outcome(&mut command(&["backup", "--data-dir", &data, &target]));
    assert!(!is_success && stderr.contains("--url"), "{stderr}");
    let before = files_below(Path::new(&target)).len();
    let url = barograph.url("");
    let report = succeed(&mut command(&["backup", "--url", &url, &target]));
    let added = files_below(Path::new(&target)).len() - before;
    // Merges have replaced some of what was there; the rest was not sent again.
    assert!(added * 2 < before, "{added} files were added: {report}");
    assert_eq!(
        barograph.data_dir.join("snapshots").read_dir().unwrap().count(),
        0,
        "the snapshot is removed again"
    );
    assert_eq!(everything(&barograph).await, second, "the server goes on");
    barograph.kill();

    let names = names_of_backups(&target, 2);
    for (name, expected) in [(Some(names[0].as_str()), &first), (None, &second)] {
        let choice: Vec<&str> = name.iter().flat_map(|name| ["--backup", *name]).collect();
        let verified = succeed(command(&["backup", "verify", &target]).args(&choice));
        assert!(verified.contains("every checksum right"), "{verified}");
        let restored = root.path().join(format!("restored-{}", expected.len()));
        let mut restore = command(&["restore", &target, "--data-dir", &text(&restored)]);
        let report = succeed(restore.args(&choice));
        assert!(
            report.contains(&format!("{} samples", expected.len())) && report.contains("without damage"),
            "{report}"
        );
        check_restored(root.path(), &restored, expected).await;
        // What is there is not replaced by a slip of the hand.
        let (is_success, _, stderr) = outcome(&mut restore);
        assert!(!is_success && stderr.contains("--force"), "{stderr}");
    }
    let other = root.path().join(format!("restored-{}", second.len()));
    succeed(&mut command(&[
        "restore",
        &target,
        "--data-dir",
        &text(&other),
        "--backup",
        &names[0],
        "--force",
    ]));
    check_restored(root.path(), &other, &first).await;
}

#[tokio::test]
async fn damage_is_found_and_what_is_damaged_is_not_served() {
    let root = tempfile::tempdir().unwrap();
    let (barograph, expected) = stopped_store(root.path()).await;
    let target = root.path().join("target");
    let (data, place) = (text(&barograph.data_dir), text(&target));
    succeed(&mut command(&["backup", "--data-dir", &data, &place]));
    let files = files_below(&target.join("files"));
    let victim = files
        .iter()
        .find(|path| text(path).ends_with("samples.parquet"))
        .unwrap();
    let whole = std::fs::read(victim).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    std::fs::write(victim, &damaged).unwrap();
    let (is_success, _, stderr) = outcome(&mut command(&["backup", "verify", &place]));
    let name = victim.file_name().unwrap().to_str().unwrap();
    assert!(
        !is_success && stderr.contains(name) && stderr.contains("1 of"),
        "{stderr}"
    );
    let restored = root.path().join("restored");
    let restore = ["restore", &place, "--data-dir", &text(&restored)];
    let (is_success, _, stderr) = outcome(&mut command(&restore));
    assert!(!is_success && stderr.contains(name), "{stderr}");
    // A half restored directory is no store.
    let served = Barograph::new(root.path()).with_data_dir(restored.clone());
    let words = served.arguments();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (is_success, _, stderr) = outcome(&mut command(&words));
    assert!(!is_success && stderr.contains("barograph restore"), "{stderr}");
    // Once the file is mended, the same restore goes on.
    std::fs::write(victim, &whole).unwrap();
    let report = succeed(&mut command(&restore));
    assert!(report.contains("the others were there"), "{report}");
    check_restored(root.path(), &restored, &expected).await;
    // A list that is damaged is told and is no backup.
    let list = files_below(&target.join("backups")).pop().unwrap();
    let mut bytes = std::fs::read(&list).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&list, bytes).unwrap();
    let listed = succeed(&mut command(&["backup", "list", &place]));
    assert!(listed.contains("DAMAGED"), "{listed}");
    let (is_success, _, stderr) = outcome(&mut command(&["backup", "verify", &place]));
    assert!(!is_success && stderr.contains("list"), "{stderr}");
}

#[tokio::test]
async fn views_are_backed_up_and_restored() {
    let root = tempfile::tempdir().unwrap();
    let mut barograph = Barograph::new(root.path()).with_flags(&["--enable-admin-api"]);
    barograph.start().await;
    fill(&barograph, 0).await;
    let few = |instances: &str| {
        format!("VIEW few AS SELECT instance, value FROM kept_total WHERE instance IN ({instances})")
    };
    barograph.rows(&format!("CREATE {}", few("'i1', 'i2'"))).await;
    // One that reads the other.
    barograph
        .rows("CREATE VIEW sums (instance, total) AS SELECT instance, sum(value) FROM few GROUP BY instance")
        .await;
    let query = "SELECT instance, total FROM sums ORDER BY instance";
    let first = barograph.rows(query).await;
    assert_eq!((first.len(), &first[0][0]), (2, &"i1".into()));
    assert_eq!(barograph.terminate().code(), Some(0));
    let (data, target) = (text(&barograph.data_dir), text(&root.path().join("target")));
    succeed(&mut command(&["backup", "--data-dir", &data, &target]));

    barograph.start().await;
    assert_eq!(barograph.rows(query).await, first, "the backup has left them");
    // A file of the same length is another file.
    barograph
        .rows(&format!("CREATE OR REPLACE {}", few("'i3', 'i4'")))
        .await;
    let second = barograph.rows(query).await;
    assert_eq!((second.len(), &second[0][0]), (2, &"i3".into()));
    let url = barograph.url("");
    succeed(&mut command(&["backup", "--url", &url, &target]));
    for view in ["sums", "few"] {
        barograph.rows(&format!("DROP VIEW {view}")).await;
    }
    succeed(&mut command(&["backup", "--url", &url, &target]));
    barograph.kill();

    let names = names_of_backups(&target, 3);
    let restored = root.path().join("restored");
    // Each takes the place of the one before it, the last of views that its backup does not have.
    for (name, expected) in names.iter().zip([Some(&first), Some(&second), None]) {
        let words = [
            "restore",
            &target,
            "--data-dir",
            &text(&restored),
            "--backup",
            name,
            "--force",
        ];
        succeed(&mut command(&words));
        let mut served = Barograph::new(root.path()).with_data_dir(restored.clone());
        served.start().await;
        let views = served
            .rows("SELECT table_name FROM information_schema.views WHERE definition IS NOT NULL ORDER BY 1")
            .await;
        match expected {
            Some(expected) => {
                assert_eq!(views, [["few"], ["sums"]], "{name}");
                assert_eq!(&served.rows(query).await, expected, "{name}");
            }
            None => assert_eq!(views.len(), 0, "{name}: {views:?}"),
        }
        assert_eq!(served.terminate().code(), Some(0));
    }
}

/// The backups in a target, oldest first, of which there must be so many.
fn names_of_backups(target: &str, expected: usize) -> Vec<String> {
    let list = succeed(&mut command(&["backup", "list", target]));
    let name = |line: &str| line.split_whitespace().next().unwrap().to_owned();
    let names: Vec<String> = list.lines().map(name).collect();
    assert_eq!(names.len(), expected, "{list}");
    names
}

/// Starts a command and kills it as soon as `is_under_way` says so; gives false where it ended before.
pub fn kill_when(words: &[&str], is_under_way: impl Fn() -> bool) -> bool {
    let spawned: Child = command(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut process = Process(spawned);
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(status) = process.0.try_wait().unwrap() {
            assert!(status.success(), "{words:?}");
            return false;
        }
        if is_under_way() {
            process.0.kill().unwrap();
            process.0.wait().unwrap();
            return true;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    panic!("{words:?}: not within {PATIENCE:?}");
}

#[tokio::test]
async fn kill_9_in_the_middle_leaves_nothing_that_passes_for_whole() {
    let root = tempfile::tempdir().unwrap();
    let (barograph, expected) = stopped_store(root.path()).await;
    let data = text(&barograph.data_dir);
    let files_of_backup = 2 * WINDOWS as usize + 1;
    let mut cut_short = 0;
    for round in 0..4 {
        let target = root.path().join(format!("target-{round}"));
        let place = text(&target);
        let words = ["backup", "--data-dir", &data, &place, "--jobs", "1"];
        let enough = 1 + round * files_of_backup / 4;
        if kill_when(&words, || files_below(&target.join("files")).len() >= enough) {
            let lists = files_below(&target.join("backups"));
            let is_whole = lists.iter().any(|path| !text(path).ends_with(".part"));
            cut_short += usize::from(!is_whole);
            if !is_whole {
                let (is_success, _, stderr) = outcome(&mut command(&["backup", "list", &place]));
                assert!(!is_success && stderr.contains("there is no backup"), "{stderr}");
            }
        }
        let report = succeed(&mut command(&words));
        assert!(
            report.contains(&format!("{} samples", expected.len())),
            "{report}"
        );
        succeed(&mut command(&["backup", "verify", &place]));
        assert!(
            files_below(&target)
                .iter()
                .all(|path| !text(path).ends_with(".part"))
        );
        assert_eq!(
            barograph.data_dir.join("snapshots").read_dir().unwrap().count(),
            0,
            "what the killed backup left is removed by the next"
        );
    }
    assert!(cut_short > 0, "no backup was killed in its middle");

    let place = text(&root.path().join("target-0"));
    let mut cut_short = 0;
    for round in 0..4 {
        let restored = root.path().join(format!("restored-{round}"));
        let words = ["restore", &place, "--data-dir", &text(&restored), "--jobs", "1"];
        let enough = round * files_of_backup / 4;
        let is_under_way =
            || restored.join("RESTORING").exists() && files_below(&restored.join("segments")).len() >= enough;
        if kill_when(&words, is_under_way) && restored.join("RESTORING").exists() {
            cut_short += 1;
            let served = Barograph::new(root.path()).with_data_dir(restored.clone());
            let words = served.arguments();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let (is_success, _, stderr) = outcome(&mut command(&words));
            assert!(!is_success && stderr.contains("barograph restore"), "{stderr}");
            succeed(&mut command(&["restore", &place, "--data-dir", &text(&restored)]));
        }
        check_restored(root.path(), &restored, &expected).await;
    }
    assert!(cut_short > 0, "no restore was killed in its middle");
}
