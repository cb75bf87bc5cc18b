//! Saves the logs of the workload's containers before they are deleted, and records their last lines.

use std::io::{self, Write as _};
use std::time::Duration;

use futures::future::join_all;
use futures::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, LogParams};

use super::context::Context;
use crate::evidence::{ContainerLog, SnapshotOf};

const READ_WITHIN: Duration = Duration::from_secs(10);

/// The number of last lines that are recorded of a container.
const LAST_LINES: i64 = 20;

/// The maximum length of such a line, in characters.
const LONGEST_WORDS: usize = 500;

/// The maximum length of a saved line, in bytes; the rest is left out. A log may have any size and consist of one line.
const LONGEST_LINE: u64 = 1 << 20;

impl Context {
    /// Saves the logs of a pod's containers, including those before a restart. A log that cannot be read is noted and
    /// no failure.
    pub(crate) async fn save_logs(&self, pod: &str) {
        let Some((uid, containers)) = self.containers(pod).await else { return };
        let reads = containers.iter().flat_map(|container| [(container, false), (container, true)]).map(
            async |(container, previous)| {
                let parameters = LogParams { previous, container: Some(container.clone()), ..LogParams::default() };
                let pods = self.pods();
                // Most containers never restarted and have no earlier log.
                let limit = self.vain.brief(READ_WITHIN);
                let opened = tokio::time::timeout(limit, pods.log_stream(pod, &parameters)).await;
                let Ok(Ok(mut log)) = opened else { return };
                let suffix = if previous { ".previous" } else { "" };
                let name = format!("{pod}.{}.{container}{suffix}.log", uid.split('-').next().unwrap_or_default());
                match tokio::time::timeout(limit, self.save_lines(&name, &mut log)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => self.journal.note(format!("{name} was not saved to its end: {error}")),
                    Err(_) => self.journal.note(format!("{name} was not saved to its end within {limit:?}")),
                }
            },
        );
        join_all(reads).await;
    }

    /// Saves a log line by line, as it arrives.
    async fn save_lines(&self, name: &str, log: &mut (impl AsyncBufRead + Unpin)) -> io::Result<()> {
        let redaction = self.journal.log.redaction();
        std::fs::create_dir_all(&self.logs)?;
        let mut file = io::BufWriter::new(std::fs::File::create(self.logs.join(name))?);
        while let Some(line) = next_line(log).await? {
            writeln!(file, "{}", redaction.line(&line))?;
        }
        file.flush()
    }

    /// Saves a text beside the logs. A failure is only noted.
    pub(crate) fn save_text(&self, name: &str, text: &str) {
        let text = self.journal.log.redaction().text(text);
        let written = std::fs::create_dir_all(&self.logs).and_then(|()| std::fs::write(self.logs.join(name), text));
        if let Err(error) = written {
            self.journal.note(format!("{name} was not saved: {error}"));
        }
    }

    /// Saves the logs of every existing pod.
    pub async fn save_all_logs(&self) {
        let pods: Vec<String> = self.journal.log.look(|timeline| {
            timeline.pods.iter().filter(|pod| pod.deleted.is_none()).map(|pod| pod.name.clone()).collect()
        });
        join_all(pods.iter().map(|pod| self.save_logs(pod))).await;
    }

    /// Records the last log lines of every existing pod that is not Ready: they may say why.
    pub(crate) async fn last_words(&self) {
        let pods: Vec<(String, String)> = self.journal.log.look(|timeline| {
            let waiting =
                timeline.pods.iter().filter(|life| life.deleted.is_none() && !life.ready_at(timeline.last_seq));
            waiting.map(|life| (life.name.clone(), life.uid.clone())).collect()
        });
        let words = join_all(pods.iter().map(|(pod, uid)| self.last_words_of(pod, uid))).await;
        for log in words.into_iter().flatten() {
            self.snapshot(SnapshotOf::ContainerLog, &log);
        }
    }

    /// For each container of a pod: the last lines of its previous instance, if there was one, and of the present one.
    async fn last_words_of(&self, pod: &str, uid: &str) -> Vec<ContainerLog> {
        let Some((_, containers)) = self.containers(pod).await.filter(|(there, _)| there == uid) else {
            return Vec::new();
        };
        let reads = containers.iter().flat_map(|container| [(container, true), (container, false)]).map(
            async |(container, previous)| {
                let (container, tail_lines) = (container.clone(), Some(LAST_LINES));
                let parameters =
                    LogParams { previous, tail_lines, container: Some(container.clone()), ..LogParams::default() };
                let (pods, limit) = (self.pods(), self.vain.brief(READ_WITHIN));
                let read = async { last_lines(&mut pods.log_stream(pod, &parameters).await.ok()?).await.ok() };
                let lines = tokio::time::timeout(limit, read).await.ok()??;
                let redaction = self.journal.log.redaction();
                let clipped = |line: &String| redaction.line(line).chars().take(LONGEST_WORDS).collect();
                let lines: Vec<String> = lines.iter().map(clipped).collect();
                let (pod, uid) = (pod.to_owned(), uid.to_owned());
                (!lines.is_empty()).then_some(ContainerLog { pod, uid, container, previous, lines })
            },
        );
        join_all(reads).await.into_iter().flatten().collect()
    }

    async fn containers(&self, pod: &str) -> Option<(String, Vec<String>)> {
        let pods: Api<Pod> = self.pods();
        let limit = self.vain.brief(READ_WITHIN);
        let pod = tokio::time::timeout(limit, pods.get_opt(pod)).await.ok()?.ok()??;
        let spec = pod.spec?;
        let inits = spec.init_containers.into_iter().flatten();
        let names = inits.chain(spec.containers).map(|container| container.name).collect();
        Some((pod.metadata.uid?, names))
    }
}

/// The next line of a log, without its line break. Of a line that is too long, only the beginning.
async fn next_line(log: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    if (&mut *log).take(LONGEST_LINE).read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    let is_whole = line.ends_with(b"\n");
    let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
    if is_whole || (line.len() as u64) < LONGEST_LINE {
        return Ok(Some(text));
    }
    let mut left_out = 0;
    loop {
        let part = log.fill_buf().await?;
        let end = part.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(part.len(), |end| end + 1);
        log.consume_unpin(length);
        left_out += length;
        if end.is_some() || length == 0 {
            return Ok(Some(format!("{text} … and {left_out} bytes more")));
        }
    }
}

/// The last lines of a log.
async fn last_lines(log: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    while let Some(line) = next_line(log).await? {
        lines.push(line);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_log_is_read_line_by_line_and_a_line_without_end_is_cut() {
        let longest = "x".repeat(usize::try_from(LONGEST_LINE).expect("it fits"));
        let text = format!("first\r\n\n{longest}and more\nlast");
        let lines = last_lines(&mut text.as_bytes()).await.expect("lines");
        assert_eq!((lines.len(), &*lines[0], &*lines[1], &*lines[3]), (4, "first", "", "last"));
        assert_eq!(lines[2], format!("{longest} … and 9 bytes more"));
    }
}
