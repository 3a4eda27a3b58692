//! The compiled modules in memory: each compiled once, however many ask for it at the same time.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OnceCell, Semaphore};
use wasmcloud_wire::{ControlPlane, ControlPlaneError, Digest, Inspection, Limits, Refusal};

use super::artifact::{Artifacts, Verified};
use super::compiler::{CompileError, Compiler, Try};
use super::pool::Pool;
use super::program::{Program, artifact_key};

/// Most compiled modules in memory; of those that do not run, the one unused for longest goes first.
const PROGRAMS_MAX: usize = 1_024;
/// About the most memory that they take, in bytes of their artifacts and their data.
const PROGRAM_BYTES_MAX: usize = 1 << 30;
/// Most modules being compiled at once: those that were just begun, and those that take long.
const QUICK_COMPILATIONS_MAX: usize = 4;
const LONG_COMPILATIONS_MAX: usize = 4;

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

#[derive(Default)]
struct Slot {
    program: OnceCell<Made>,
    last_used: AtomicU64,
}

/// A program, and the size of its artifact and its data in bytes.
#[derive(Clone)]
struct Made(Arc<Program>, usize);

impl Made {
    fn new(program: Program, artifact: &Verified) -> Made {
        let bytes = artifact.bytes().len() + program.image_bytes();
        Made(Arc::new(program), bytes)
    }
}

impl Slot {
    /// Nobody waits for it, and nothing of it runs.
    fn is_idle(self: &Arc<Slot>) -> bool {
        let runs = self.program.get().is_some_and(|Made(program, _)| Arc::strong_count(program) > 1);
        Arc::strong_count(self) == 1 && !runs
    }

    fn bytes(&self) -> usize {
        self.program.get().map_or(0, |Made(_, bytes)| *bytes)
    }
}

/// Compiled modules, in memory and on disk.
pub(crate) struct Programs {
    artifacts: Arc<Artifacts>,
    limits_max: Limits,
    pool: Arc<Pool>,
    slots: Mutex<HashMap<Digest, Arc<Slot>>>,
    clock: AtomicU64,
    /// So many that one has to go when another comes.
    programs_max: usize,
    bytes_max: usize,
    quick: Semaphore,
    long: Semaphore,
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
            programs_max: PROGRAMS_MAX,
            bytes_max: PROGRAM_BYTES_MAX,
            quick: Semaphore::new(QUICK_COMPILATIONS_MAX),
            long: Semaphore::new(LONG_COMPILATIONS_MAX),
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
        if let Some(Made(program, _)) = slot.program.get() {
            return Ok(program.clone());
        }
        let make = async || self.make(digest, fetch(digest, control).await?).await;
        let made = slot.program.get_or_try_init(make).await.cloned();
        drop(slot);
        self.make_room();
        made.map(|Made(program, _)| program)
    }

    fn slot(&self, digest: &Digest) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(*digest).or_default().clone()
    }

    /// Drops programs until what is left is within the limits, or runs, or is being made.
    fn make_room(&self) {
        // Dropped once nobody waits for the lock any more: giving memory back takes its time.
        let mut dropped = Vec::new();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes: usize = slots.values().map(|slot| slot.bytes()).sum();
        while slots.len() > self.programs_max || bytes > self.bytes_max {
            let idle = slots.iter().filter(|(_, slot)| slot.is_idle());
            let oldest = idle.min_by_key(|(_, slot)| slot.last_used.load(Ordering::Relaxed));
            let Some(oldest) = oldest.map(|(digest, _)| *digest) else { break };
            let Some(slot) = slots.remove(&oldest) else { break };
            bytes -= slot.bytes();
            dropped.push(slot);
        }
        drop(slots);
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
        self.make(digest, bytes).await.map(|Made(program, _)| program)
    }

    async fn make(&self, digest: &Digest, module: Bytes) -> Result<Made, ProgramError> {
        let (artifacts, limits, pool, known, bytes) =
            (self.artifacts.clone(), self.limits_max.clone(), self.pool.clone(), *digest, module.clone());
        let (inspection, kept) = blocking(digest, move || {
            let inspection = wasmcloud_inspect::inspect(&bytes, &limits)?;
            let kept = load_kept(&artifacts, &known, &inspection, &pool);
            Ok((inspection, kept))
        })
        .await?;
        if let Some(made) = kept {
            return Ok(made);
        }
        let artifact = self.compile(digest, &module).await?;
        let (artifacts, pool, known) = (self.artifacts.clone(), self.pool.clone(), *digest);
        blocking(digest, move || {
            let artifact = Verified::fresh(artifact);
            artifacts.keep(&known, &artifact);
            Program::load(&artifact, inspection, &pool)
                .map(|program| Made::new(program, &artifact))
                .map_err(|reason| ProgramError::Unavailable { digest: known, reason })
        })
        .await
    }

    /// Compiles a module. Only this waits for a place: what was compiled before is not held up by what
    /// is compiled now, nor is what takes a moment by what takes long.
    async fn compile(&self, digest: &Digest, module: &Bytes) -> Result<Vec<u8>, ProgramError> {
        let unavailable = |reason: String| ProgramError::Unavailable { digest: *digest, reason };
        let mut compiled = self.attempt(&self.quick, module, Try::Quick).await;
        if let Err(CompileError::TakesLong) = compiled {
            compiled = self.attempt(&self.long, module, Try::Long).await;
        }
        compiled.map_err(|error| match error {
            CompileError::Refused(refusal) => ProgramError::Refused(refusal),
            CompileError::Failed(reason) => unavailable(reason),
            CompileError::TakesLong => unavailable("compiling it takes too long".to_owned()),
        })
    }

    async fn attempt(&self, places: &Semaphore, module: &Bytes, which: Try) -> Result<Vec<u8>, CompileError> {
        let _place = places.acquire().await.map_err(|error| CompileError::Failed(error.to_string()))?;
        self.compiler.compile(module, &self.limits_max, which).await
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
) -> Option<Made> {
    let artifact = artifacts.load(digest)?;
    match Program::load(&artifact, inspection.clone(), pool) {
        Ok(program) => Some(Made::new(program, &artifact)),
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
        Err(
            ControlPlaneError::Unavailable(reason)
            | ControlPlaneError::Unauthorized(reason)
            | ControlPlaneError::Refused(reason),
        ) => return Err(unavailable(&reason)),
    };
    if Digest::of(&bytes) != *digest {
        return Err(unavailable("its bytes do not have this digest: the storage is damaged"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use async_trait::async_trait;
    use tempfile::TempDir;
    use wasmcloud_wire::{ChangeStream, Deployment, Record, RouteKey};

    use super::*;
    use crate::engine::CompileBudget;

    /// A control plane that has every module that says `text`.
    struct Says(Vec<Bytes>);

    #[async_trait]
    impl ControlPlane for Says {
        async fn module(&self, digest: &Digest) -> Result<Option<Bytes>, ControlPlaneError> {
            Ok(self.0.iter().find(|module| Digest::of(module) == *digest).cloned())
        }

        async fn resolve(&self, _: &RouteKey) -> Result<Option<Deployment>, ControlPlaneError> {
            Ok(None)
        }

        async fn changes(&self) -> Result<ChangeStream, ControlPlaneError> {
            Ok(Box::pin(futures::stream::empty()))
        }

        async fn record(&self, _: Vec<Record>) -> Result<(), ControlPlaneError> {
            Ok(())
        }
    }

    fn says(text: &str) -> Bytes {
        let data = format!(r#"(data (i32.const 0) "{text}")"#);
        let module = format!(r#"(module (memory (export "memory") 1) {data} (func (export "_start")))"#);
        wat::parse_str(module).unwrap().into()
    }

    #[tokio::test]
    async fn the_cache_is_bounded_in_bytes_and_never_drops_what_runs() {
        let dir = TempDir::new().unwrap();
        let mut programs = Programs::open(dir.path(), Limits::default(), Compiler::Here).unwrap();
        let modules: Vec<Bytes> = (0..6).map(|number| says(&number.to_string())).collect();
        let control = Says(modules.clone());
        let digests: Vec<Digest> = modules.iter().map(|module| Digest::of(module)).collect();
        let get = async |programs: &Programs, place: usize| {
            programs.get(&digests[place], &control).await.unwrap_or_else(|error| panic!("{error}"))
        };
        let running = get(&programs, 0).await;
        let each = programs.slots.lock().unwrap()[&digests[0]].bytes();
        assert!(each > modules[0].len() / 2, "{each}");
        programs.bytes_max = each * 3 + each / 2;
        for place in [1, 2, 1, 3, 4] {
            drop(get(&programs, place).await);
        }
        let known = |programs: &Programs| -> Vec<usize> {
            let slots = programs.slots.lock().unwrap();
            (0..6).filter(|place| slots.contains_key(&digests[*place])).collect()
        };
        // Two was used before one, and whatever runs stays.
        assert_eq!(known(&programs), [0, 3, 4]);
        drop(running);
        drop(get(&programs, 5).await);
        assert_eq!(known(&programs), [3, 4, 5]);
        programs.programs_max = 1;
        let (_three, _four) = (get(&programs, 3).await, get(&programs, 4).await);
        drop(get(&programs, 1).await);
        assert_eq!(known(&programs), [1, 3, 4], "what was just asked for goes with the next one");
        // What failed is no slot of its own for long.
        assert!(programs.get(&Digest::of(b"unknown"), &control).await.is_err());
        assert_eq!(known(&programs), [3, 4]);
        assert_eq!(programs.slots.lock().unwrap().len(), 2);
    }

    /// A compiler that refuses at once, save for modules that say `slow`: these use up their first try,
    /// and stand still at the second.
    const COMPILER: &str = "#!/bin/sh
        input=$(tr -d '\\0')
        case $input in
            *slow*) case $input in *'\"cpu_s\":3,'*) kill -KILL $$ ;; *) exec sleep 1000 ;; esac ;;
        esac
        printf '{\"code\":\"quick\",\"message\":\"quick\",\"hint\":\"quick\"}'
        exit 3
        ";

    #[tokio::test]
    async fn what_takes_long_to_compile_does_not_hold_up_what_takes_a_moment() {
        let dir = TempDir::new().unwrap();
        let script = dir.path().join("compiler");
        std::fs::write(&script, COMPILER).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
        let compiler = Compiler::Child(script, CompileBudget::default());
        let programs = Arc::new(Programs::open(dir.path(), Limits::default(), compiler).unwrap());
        let compile = |text: String| {
            let (programs, module) = (programs.clone(), says(&text));
            async move { programs.get_local(&Digest::of(&module), module).await }
        };
        let slow: Vec<_> = (0..QUICK_COMPILATIONS_MAX + 2)
            .map(|number| tokio::spawn(compile(format!("slow{number}"))))
            .collect();
        let test = async {
            while programs.long.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            for number in 0..3 {
                let quick = compile(format!("quick{number}")).await.err();
                assert!(matches!(&quick, Some(ProgramError::Refused(r)) if r.code == "quick"), "{quick:?}");
            }
        };
        tokio::time::timeout(Duration::from_secs(30), test).await.expect("the quick ones pass");
        for slow in slow {
            assert!(!slow.is_finished());
            slow.abort();
        }
    }
}
