//! The compiled modules in memory: each compiled once, however many ask for it at the same time.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OnceCell, Semaphore};
use wasmcloud_wire::{ControlPlane, ControlPlaneError, Digest, Inspection, Limits, Refusal};

use super::artifact::{Artifacts, Verified};
use super::compiler::{CompileError, Compiler};
use super::pool::Pool;
use super::program::{Program, artifact_key};

/// Most compiled modules in memory; the one unused for longest goes first.
const PROGRAMS_MAX: usize = 1_024;
/// Most modules being compiled at once.
const COMPILATIONS_MAX: usize = 4;

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// The module cannot run here.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The module's bytes could not be had, or are not what they should be.
    #[error("module {digest}: {reason}")]
    Unavailable {
        /// Which module.
        digest: Digest,
        /// What is wrong.
        reason: String,
    },
}

struct Slot {
    program: OnceCell<Arc<Program>>,
    last_used: AtomicU64,
}

/// Compiled modules, in memory and on disk.
pub(crate) struct Programs {
    artifacts: Arc<Artifacts>,
    limits_max: Limits,
    pool: Arc<Pool>,
    slots: Mutex<HashMap<Digest, Arc<Slot>>>,
    clock: AtomicU64,
    compilations: Semaphore,
    compiler: Compiler,
}

impl Programs {
    /// Programs with artifacts in this folder. Modules above `limits_max` are refused.
    pub(crate) fn open(dir: &Path, limits_max: Limits, compiler: Compiler) -> std::io::Result<Programs> {
        Ok(Programs {
            artifacts: Arc::new(Artifacts::open(dir, artifact_key())?),
            limits_max,
            pool: Pool::new()?,
            slots: Mutex::default(),
            clock: AtomicU64::new(0),
            compilations: Semaphore::new(COMPILATIONS_MAX),
            compiler,
        })
    }

    /// The program of a module: from memory, from disk, or compiled from the control plane's bytes.
    ///
    /// # Errors
    ///
    /// The module is refused, or its bytes cannot be had. Nothing of a failure is remembered.
    pub(crate) async fn get(
        &self,
        digest: &Digest,
        control: &dyn ControlPlane,
    ) -> Result<Arc<Program>, ProgramError> {
        let slot = self.slot(digest);
        slot.last_used.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        let make = async || self.make(digest, fetch(digest, control).await?).await;
        slot.program.get_or_try_init(make).await.cloned()
    }

    fn slot(&self, digest: &Digest) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(digest) {
            return slot.clone();
        }
        if slots.len() >= PROGRAMS_MAX {
            let oldest = slots.iter().min_by_key(|(_, slot)| slot.last_used.load(Ordering::Relaxed));
            if let Some(oldest) = oldest.map(|(digest, _)| *digest) {
                slots.remove(&oldest);
            }
        }
        let slot = Arc::new(Slot { program: OnceCell::new(), last_used: AtomicU64::new(0) });
        slots.insert(*digest, slot.clone());
        slot
    }

    /// The program of a module whose bytes are at hand.
    ///
    /// # Errors
    ///
    /// The module is refused.
    pub(crate) async fn get_local(
        &self,
        digest: &Digest,
        bytes: Bytes,
    ) -> Result<Arc<Program>, ProgramError> {
        self.make(digest, bytes).await
    }

    async fn make(&self, digest: &Digest, module: Bytes) -> Result<Arc<Program>, ProgramError> {
        let unavailable = |reason: String| ProgramError::Unavailable { digest: *digest, reason };
        let (artifacts, limits, pool, known, bytes) =
            (self.artifacts.clone(), self.limits_max.clone(), self.pool.clone(), *digest, module.clone());
        let (inspection, kept) = blocking(digest, move || {
            let inspection = wasmcloud_inspect::inspect(&bytes, &limits)?;
            let kept = load_kept(&artifacts, &known, &inspection, &pool);
            Ok((inspection, kept))
        })
        .await?;
        if let Some(program) = kept {
            return Ok(Arc::new(program));
        }
        // Only compiling waits for a place: what was compiled before is not held up by what is compiled now.
        let _permit = self.compilations.acquire().await.map_err(|error| unavailable(error.to_string()))?;
        let artifact =
            self.compiler.compile(&module, &self.limits_max).await.map_err(|error| match error {
                CompileError::Refused(refusal) => ProgramError::Refused(refusal),
                CompileError::Failed(reason) => unavailable(reason),
            })?;
        let (artifacts, pool, known) = (self.artifacts.clone(), self.pool.clone(), *digest);
        blocking(digest, move || {
            let artifact = Verified::fresh(artifact);
            artifacts.keep(&known, &artifact);
            Program::load(&artifact, inspection, &pool)
                .map(Arc::new)
                .map_err(|reason| ProgramError::Unavailable { digest: known, reason })
        })
        .await
    }
}

/// Does what takes long where threads may block.
async fn blocking<T: Send + 'static>(
    digest: &Digest,
    work: impl FnOnce() -> Result<T, ProgramError> + Send + 'static,
) -> Result<T, ProgramError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(ProgramError::Unavailable { digest: *digest, reason: error.to_string() }),
    }
}

/// The program of an artifact that was kept, if it verifies and can be loaded.
fn load_kept(
    artifacts: &Artifacts,
    digest: &Digest,
    inspection: &Inspection,
    pool: &Arc<Pool>,
) -> Option<Program> {
    let artifact = artifacts.load(digest)?;
    match Program::load(&artifact, inspection.clone(), pool) {
        Ok(program) => Some(program),
        Err(error) => {
            tracing::warn!(%digest, %error, "compiled artifact cannot be loaded; it is made anew");
            artifacts.forget(digest);
            None
        }
    }
}

async fn fetch(digest: &Digest, control: &dyn ControlPlane) -> Result<Bytes, ProgramError> {
    let unavailable = |reason: &str| ProgramError::Unavailable { digest: *digest, reason: reason.to_owned() };
    let bytes = match control.module(digest).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(unavailable("it is not stored")),
        Err(ControlPlaneError::Unavailable(reason) | ControlPlaneError::Unauthorized(reason)) => {
            return Err(unavailable(&reason));
        }
    };
    if Digest::of(&bytes) != *digest {
        return Err(unavailable("its bytes do not have this digest: the storage is damaged"));
    }
    Ok(bytes)
}
