//! What `create` and `update` share: the progress of an upload, and what it made.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use wasmcloud_wire::Policy;
use wasmcloud_wire::body::Deployed;

use super::{inspect, policy};
use crate::failure::Failure;
use crate::module_file;
use crate::output::Output;
use crate::session::Session;
use crate::shipped_files;
use crate::text::{one_line, size};

/// Bytes that are sent at once; as fine as the progress bar moves.
const CHUNK_BYTES: usize = 64 << 10;

/// A module that is ready to be sent.
#[derive(Debug)]
pub struct Upload {
    module: Bytes,
    progress: ProgressBar,
}

impl Upload {
    /// Reads the file, see [`module_file::read`], and the files that go with it.
    pub fn read(session: &Session, file: &Path, files: Option<&Path>) -> Result<Upload, Failure> {
        let module = Bytes::from(shipped_files::with_files(module_file::read(file)?, files)?);
        let progress = progress(&session.output, module.len() as u64);
        Ok(Upload { module, progress })
    }

    /// The module's size in bytes.
    pub fn size(&self) -> u64 {
        self.module.len() as u64
    }

    /// The module in pieces; the bar moves as they are taken.
    pub fn stream(&self) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
        self.progress.reset();
        let progress = self.progress.clone();
        let mut rest = self.module.clone();
        futures::stream::iter(std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let chunk = rest.split_to(rest.len().min(CHUNK_BYTES));
            progress.inc(chunk.len() as u64);
            if rest.is_empty() {
                progress.set_message("sent; the server compiles it");
            }
            Some(Ok(chunk))
        }))
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.progress.finish_and_clear();
    }
}

/// Whether the program or its policy comes from standard input.
pub fn takes_stdin(program: &Path, policy: Option<&Path>) -> bool {
    let stdin = Path::new("-");
    program == stdin || policy == Some(stdin)
}

fn progress(output: &Output, bytes: u64) -> ProgressBar {
    if !output.progress {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} [{bar:30}] {bytes} of {total_bytes} {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Prints what an upload made: the address alone on standard output, the rest beside it.
pub fn show(
    session: &Session,
    verb: &str,
    deployed: &Deployed,
    new_policy: Option<&Policy>,
) -> Result<(), Failure> {
    let output = &session.output;
    if output.json {
        return output.document(deployed);
    }
    let handler = &deployed.handler;
    output.note(&format!("{verb} {}, version {}", handler.name, deployed.version));
    output.note(&format!(
        "  ABI       {}, {}, sha256 {}",
        deployed.inspection.abi,
        size(deployed.inspection.size_bytes),
        deployed.preview.as_ref().map_or(handler.digest, |preview| preview.digest)
    ));
    output.note(&format!("  asks for  {}", inspect::imports_in_words(&deployed.inspection)));
    output.note(&format!("  memory    {}", inspect::memory_in_words(&deployed.inspection)));
    if let Some(new) = new_policy {
        policy::tell(session, &handler.name, new);
    }
    deployed.warnings.iter().for_each(|warning| output.warn(warning));
    if let Some(reason) = &handler.suspended {
        let team = handler.owner.as_ref().map_or_else(String::new, |owner| format!(" {owner}"));
        output.warn(&format!("the team{team} is suspended: its address answers 403: {}", one_line(reason)));
    }
    let Some(preview) = &deployed.preview else { return output.line(&handler.url) };
    let (name, version) = (&handler.name, deployed.version);
    output.note(&format!(
        "version {} stays live; `wasmcloud promote {name} {version}` changes that",
        handler.live
    ));
    output.line(&preview.url)
}
