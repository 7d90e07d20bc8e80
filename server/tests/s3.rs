//! Backups in a bucket of a real S3 server on this machine (moto), which `cargo xtask test` installs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::backup::{check_restored, command, everything, fill, outcome, succeed};
use super::ports::free_port;
use super::program::{Barograph, Pairs, Process, body, eventually, now_ms, pairs};

/// The server, in the environment that `cargo xtask test` makes below the target folder.
fn moto_server() -> PathBuf {
    // The test binary lies in TARGET/PROFILE/deps.
    let binary = std::env::current_exe().unwrap();
    let target = binary.ancestors().nth(3).unwrap();
    let program = target.join("python/bin/moto_server");
    assert!(
        program.is_file(),
        "{} is not there: `cargo xtask test` installs it, or: python3 -m venv {1} && {1}/bin/pip install 'moto[server]'",
        program.display(),
        target.join("python").display()
    );
    program
}

/// An S3 server with an empty bucket.
struct S3 {
    port: u16,
    _process: Process,
}

impl S3 {
    async fn start(root: &Path) -> Self {
        let port = free_port();
        let child = Command::new(moto_server())
            .args(["--host", "127.0.0.1", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(root.join("moto.log")).unwrap())
            .spawn()
            .unwrap();
        let server = Self {
            port,
            _process: Process(child),
        };
        barograph::channels::install_crypto_provider();
        let client = reqwest::Client::new();
        eventually("a bucket", || async {
            let made = client
                .put(format!("http://127.0.0.1:{port}/backups"))
                .send()
                .await
                .ok()?;
            made.status().is_success().then_some(())
        })
        .await;
        server
    }

    /// A command that knows the way to it.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = command(words);
        command
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port))
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1");
        command
    }
}

/// Noise enough for a file that is sent in several parts.
async fn fill_with_noise(barograph: &Barograph) {
    let start = now_ms() - 60_000;
    let mut random: u64 = 1;
    for request in 0..3 {
        let rows: Vec<(Pairs, Vec<(i64, f64)>)> = (0..400)
            .map(|i| {
                let series = pairs(&[("__name__", "noise"), ("instance", &format!("{request}-{i}"))]);
                let samples = (0..1000).map(|k| {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (start + k, f64::from_bits(random >> 12 | 0x3ff0_0000_0000_0000))
                });
                (series, samples.collect())
            })
            .collect();
        let (status, text) = barograph.write(body(&rows)).await.unwrap();
        assert_eq!(status, 204, "{text}");
    }
}

#[tokio::test]
async fn a_bucket_takes_what_it_lacks_and_gives_back_what_was_there() {
    let root = tempfile::tempdir().unwrap();
    let s3 = S3::start(root.path()).await;
    let mut barograph = Barograph::new(root.path()).with_flags(&["--enable-admin-api"]);
    barograph.start().await;
    fill(&barograph, 0).await;
    fill_with_noise(&barograph).await;
    let target = "s3://backups/fleet/a";
    let url = barograph.url("");
    let report = succeed(&mut s3.command(&["backup", "--url", &url, target]));
    assert!(report.contains("sent"), "{report}");
    fill(&barograph, 7).await;
    let expected = everything(&barograph).await;
    let report = succeed(&mut s3.command(&["backup", "--url", &url, target]));
    assert!(expected.len() > 1_200_000, "{}", expected.len());
    barograph.kill();
    let list = succeed(&mut s3.command(&["backup", "list", target]));
    assert_eq!(list.lines().count(), 2, "{list}");
    let verified = succeed(&mut s3.command(&["backup", "verify", target]));
    assert!(verified.contains("every checksum right"), "{verified}");
    let restored = root.path().join("restored");
    let data_dir = restored.display().to_string();
    succeed(&mut s3.command(&["restore", target, "--data-dir", &data_dir]));
    check_restored(root.path(), &restored, &expected).await;

    // The large file was sent once.
    let sizes: Vec<u64> = std::fs::read_dir(restored.join("segments"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .collect();
    assert!(sizes.iter().any(|bytes| *bytes > 8 << 20), "{sizes:?}");
    assert!(report.contains("the others were there"), "{report}");
    let (is_success, _, stderr) = outcome(&mut s3.command(&["backup", "list", "s3://backups/other"]));
    assert!(!is_success && stderr.contains("no backup"), "{stderr}");
    let (is_success, _, stderr) = outcome(&mut s3.command(&["backup", "list", "s3://nowhere/x"]));
    assert!(!is_success && stderr.contains("nowhere"), "{stderr}");
}
