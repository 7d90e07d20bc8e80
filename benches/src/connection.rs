//! A kept HTTP/1.1 connection that costs the generator almost nothing, so that the receiver has the machine.

use std::io::{BufRead, BufReader, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// An answer that takes longer is a failure.
const PATIENCE: Duration = Duration::from_secs(120);
/// An answer's body is read up to here.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

/// One connection; a request is sent when the one before is answered.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nothing listens.
    pub(crate) fn open(host: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(host).with_context(|| format!("cannot connect to {host}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: BufReader::new(stream),
            host,
        })
    }

    /// The status and the body of a `GET`.
    ///
    /// # Errors
    /// When the connection breaks, or the answer is not HTTP/1.1 with a length.
    pub(crate) fn get(&mut self, path: &str) -> Result<(u16, String)> {
        self.send(
            &format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host),
            &[],
        )
    }

    /// Sends a body of remote write.
    ///
    /// # Errors
    /// When the answer is anything but a success, with what it says.
    pub(crate) fn write(&mut self, path: &str, body: &[u8]) -> Result<()> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n\
             X-Prometheus-Remote-Write-Version: 0.1.0\r\nContent-Length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        let (status, answer) = self.send(&head, body)?;
        if !(200..300).contains(&status) {
            bail!("{} refused samples with {status}: {}", self.host, answer.trim());
        }
        Ok(())
    }

    /// Sends JSON and gives the status and the body of the answer.
    ///
    /// # Errors
    /// As [`Connection::get`].
    pub(crate) fn post_json(&mut self, path: &str, json: &str) -> Result<(u16, String)> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.host,
            json.len()
        );
        self.send(&head, json.as_bytes())
    }

    fn send(&mut self, head: &str, body: &[u8]) -> Result<(u16, String)> {
        let stream = self.stream.get_mut();
        // One call for both, which is most of what a request costs here.
        let parts = [IoSlice::new(head.as_bytes()), IoSlice::new(body)];
        let written = stream.write_vectored(&parts).context("sending a request")?;
        for (part, before) in [(head.as_bytes(), 0), (body, head.len())] {
            let rest = &part[written.saturating_sub(before).min(part.len())..];
            stream.write_all(rest).context("sending a request")?;
        }
        let first = self.line()?;
        let status: u16 = first
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .with_context(|| format!("{first:?} is not an HTTP status line"))?;
        let (mut length, mut chunked) = (0u64, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse().context("Content-Length")?,
                Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
                Some(_) => {}
                None => break,
            }
        }
        let mut answer = Vec::new();
        if !chunked {
            self.read(length, &mut answer)?;
        }
        while chunked {
            let line = self.line()?;
            let length = u64::from_str_radix(&line, 16)
                .with_context(|| format!("{line:?} is not a chunk's length"))?;
            self.read(length, &mut answer)?;
            self.line()?;
            chunked = length > 0;
        }
        // Large answers are not copied: the contestant waits for nothing here, but shares the cores.
        let answer = String::from_utf8(answer)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Ok((status, answer))
    }

    fn read(&mut self, length: u64, answer: &mut Vec<u8>) -> Result<()> {
        if answer.len() as u64 + length > ANSWER_BYTES_MAX {
            bail!("{} answers with more than {ANSWER_BYTES_MAX} bytes", self.host);
        }
        let read = (&mut self.stream).take(length).read_to_end(answer)?;
        if (read as u64) < length {
            bail!("{} closed the connection within an answer", self.host);
        }
        Ok(())
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = (&mut self.stream)
            .take(ANSWER_BYTES_MAX)
            .read_line(&mut line)
            .context("waiting for an answer")?;
        if read == 0 {
            bail!("{} closed the connection before it answered", self.host);
        }
        Ok(line.trim_end().to_owned())
    }
}
