//! The compiled modules: each compiled once, however many ask for it at the same time.

mod artifact;
mod cache;
mod compiler;
mod disk;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use wasmcloud_wire::{Abi, ControlPlane, ControlPlaneError, Digest, Inspection, Limits, Refusal, UserId};

use crate::engine::{self, OlinProgram, Pool};
use crate::program::Program;
use crate::wasi::{self, Engines, Variant, WasiProgram};
use artifact::Artifacts;
use cache::{Cache, Held, Made};
use compiler::{CompileError, Try};
use disk::Disk;

pub(crate) use artifact::Verified;
pub(crate) use cache::Lease;
pub use compiler::{COMPILE_COMMAND, CompileBudget, Compiler, compile_child};

/// Most compiled modules in memory, besides those that run.
const PROGRAMS_MAX: usize = 1_024;
/// About the most memory that they take, in bytes of their artifacts and their data.
const PROGRAM_BYTES_MAX: usize = 1 << 30;
/// The same of programs that count their instructions because someone asked for it.
const COUNTED_MAX: usize = 64;
const COUNTED_BYTES_MAX: usize = 128 << 20;
/// Most modules being compiled at once: those that were just begun, and those that take long.
const QUICK_COMPILATIONS_MAX: usize = 4;
const LONG_COMPILATIONS_MAX: usize = 4;
/// Those of programs that are to count their instructions: they hold up no upload.
const COUNTED_COMPILATIONS_MAX: usize = 2;

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

/// A program as the cache keeps it: its size is that of its artifact and its data.
fn made(program: Program, artifact: &Verified) -> Made<Program> {
    let bytes = artifact.bytes().len() + program.data_bytes();
    Made { program: Arc::new(program), bytes }
}

/// Compiled modules, in memory and on disk.
pub(crate) struct Programs {
    limits_max: Limits,
    /// Whether components of WASI 0.3 run here.
    wasi_http_3: bool,
    loader: Arc<Loader>,
    cache: Cache<Program>,
    /// Programs that count their instructions though their kind does not.
    counted: Cache<Program>,
    quick: Semaphore,
    long: Semaphore,
    counted_places: Semaphore,
    compiler: Compiler,
}

impl Programs {
    /// Programs with artifacts in this folder. Modules above `limits_max` are refused.
    /// Those of WASI 0.3 too, unless `wasi_http_3`.
    ///
    /// # Errors
    ///
    /// The folder cannot be used.
    pub(crate) fn open(
        dir: &Path,
        limits_max: Limits,
        compiler: Compiler,
        wasi_http_3: bool,
    ) -> std::io::Result<Programs> {
        Ok(Programs {
            loader: Arc::new(Loader::open(dir, limits_max.memory_bytes)?),
            limits_max,
            wasi_http_3,
            cache: Cache::new(Held { programs: PROGRAMS_MAX, bytes: PROGRAM_BYTES_MAX }),
            counted: Cache::new(Held { programs: COUNTED_MAX, bytes: COUNTED_BYTES_MAX }),
            quick: Semaphore::new(QUICK_COMPILATIONS_MAX),
            long: Semaphore::new(LONG_COMPILATIONS_MAX),
            counted_places: Semaphore::new(COUNTED_COMPILATIONS_MAX),
            compiler,
        })
    }

    /// The program of a module: from memory, from disk, or compiled from the control plane's bytes. It is
    /// for a handler of `owner`, or for nobody while it is only prepared.
    ///
    /// # Errors
    ///
    /// The module is refused, or its bytes cannot be had. Nothing of a failure is remembered.
    pub(crate) async fn get(
        &self,
        digest: &Digest,
        owner: Option<UserId>,
        control: &dyn ControlPlane,
    ) -> Result<Lease<Program>, ProgramError> {
        let make = async { self.make(digest, fetch(digest, control).await?, false).await };
        self.cache.get(digest, owner, make).await
    }

    /// The same of a module of the WASI family, compiled so that its instructions are counted.
    ///
    /// # Errors
    ///
    /// As [`Programs::get`].
    pub(crate) async fn get_counted(
        &self,
        digest: &Digest,
        owner: Option<UserId>,
        control: &dyn ControlPlane,
    ) -> Result<Lease<Program>, ProgramError> {
        let make = async { self.make(digest, fetch(digest, control).await?, true).await };
        self.counted.get(digest, owner, make).await
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
        count_gas: bool,
    ) -> Result<Arc<Program>, ProgramError> {
        self.make(digest, bytes, count_gas).await.map(|made| made.program)
    }

    async fn make(
        &self,
        digest: &Digest,
        module: Bytes,
        count_gas: bool,
    ) -> Result<Made<Program>, ProgramError> {
        let (loader, limits, known, bytes) =
            (self.loader.clone(), self.limits_max.clone(), *digest, module.clone());
        let wasi_http_3 = self.wasi_http_3;
        let (inspection, kept) = blocking(digest, move || {
            let inspection = wasmcloud_inspect::inspect(&bytes, &limits)?;
            if inspection.abi == Abi::WasiHttp3 && !wasi_http_3 {
                return Err(wasi_http_3_is_off().into());
            }
            let kept = loader.load_kept(&known, &bytes, &inspection, count_gas);
            Ok((inspection, kept))
        })
        .await?;
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let is_wasi = inspection.abi.is_wasi();
        let artifact = self.compile(digest, &module, count_gas).await?;
        let (loader, known) = (self.loader.clone(), *digest);
        blocking(digest, move || {
            let artifact = Verified::fresh(artifact);
            loader.artifacts(&inspection, count_gas).keep(&known, &artifact);
            loader.disk.written(artifact.bytes().len());
            loader
                .load(&known, &module, &artifact, inspection, count_gas)
                .map_err(|reason| not_loaded(is_wasi, known, reason))
        })
        .await
    }

    /// Compiles a module. Only this waits for a place: what was compiled before is not held up by what
    /// is compiled now, nor is what takes a moment by what takes long.
    async fn compile(
        &self,
        digest: &Digest,
        module: &Bytes,
        count_gas: bool,
    ) -> Result<Vec<u8>, ProgramError> {
        let unavailable = |reason: String| ProgramError::Unavailable { digest: *digest, reason };
        let (quick, long) = match count_gas {
            true => (&self.counted_places, &self.counted_places),
            false => (&self.quick, &self.long),
        };
        let mut compiled = self.attempt(quick, module, count_gas, Try::Quick).await;
        if let Err(CompileError::TakesLong) = compiled {
            compiled = self.attempt(long, module, count_gas, Try::Long).await;
        }
        compiled.map_err(|error| match error {
            CompileError::Refused(refusal) => ProgramError::Refused(refusal),
            CompileError::Failed(reason) => unavailable(reason),
            CompileError::TakesLong => unavailable("compiling it takes too long".to_owned()),
        })
    }

    async fn attempt(
        &self,
        places: &Semaphore,
        module: &Bytes,
        count_gas: bool,
        which: Try,
    ) -> Result<Vec<u8>, CompileError> {
        let _place = places.acquire().await.map_err(|error| CompileError::Failed(error.to_string()))?;
        self.compiler.compile(module, &self.limits_max, count_gas, which).await
    }
}

/// Why what was just compiled cannot be loaded: a component may have more parts than the pool has room for.
fn not_loaded(is_wasi: bool, digest: Digest, reason: String) -> ProgramError {
    if !is_wasi {
        return ProgramError::Unavailable { digest, reason };
    }
    Refusal::new(
        "over_limit",
        format!("the program has too many parts for one instance: {reason}"),
        "compose it of fewer modules; docs/LIMITS.md has the numbers",
    )
    .into()
}

fn wasi_http_3_is_off() -> Refusal {
    Refusal::new(
        "unsupported_feature",
        "the component exports `wasi:http/handler` of WASI 0.3, which this server does not run",
        "build it for `wasi:http/incoming-handler` of WASI 0.2, or ask the server's operator to set `wasi_http_3` \
         under [engine]; it is off by default because its implementation gets no security fixes yet",
    )
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

/// Artifacts on disk, and the engines that load them.
struct Loader {
    dir: PathBuf,
    disk: Disk,
    olin_artifacts: Artifacts,
    wasi_artifacts: [Artifacts; Variant::ALL.len()],
    pool: Arc<Pool>,
    engines: Arc<Engines>,
}

impl Loader {
    fn open(dir: &Path, memory_bytes_max: u64) -> std::io::Result<Loader> {
        let [timed, counted, asynchronous, asynchronous_counted] =
            Variant::ALL.map(|variant| Artifacts::open(dir, wasi::artifact_key(variant)));
        Ok(Loader {
            dir: dir.to_owned(),
            disk: Disk::open(dir),
            olin_artifacts: Artifacts::open(dir, engine::artifact_key())?,
            wasi_artifacts: [timed?, counted?, asynchronous?, asynchronous_counted?],
            pool: Pool::new()?,
            engines: Arc::new(Engines::new(memory_bytes_max)),
        })
    }

    /// Where the artifacts of programs like this one are.
    fn artifacts(&self, inspection: &Inspection, count_gas: bool) -> &Artifacts {
        let variant = Variant::of(inspection.abi, count_gas);
        let wasi = inspection.abi.is_wasi().then(|| self.wasi_artifacts.get(variant as usize)).flatten();
        wasi.unwrap_or(&self.olin_artifacts)
    }

    fn load(
        &self,
        digest: &Digest,
        module: &[u8],
        artifact: &Verified,
        inspection: Inspection,
        count_gas: bool,
    ) -> Result<Made<Program>, String> {
        let program = if inspection.abi.is_wasi() {
            let files = wasi::files(&self.dir, digest, module, &inspection)?;
            let program = WasiProgram::load(artifact, inspection, &self.engines, count_gas, files)?;
            Program::Wasi(program)
        } else {
            Program::Olin(OlinProgram::load(artifact, inspection, &self.pool)?)
        };
        Ok(made(program, artifact))
    }

    /// The program of an artifact that was kept, if it verifies and can be loaded.
    fn load_kept(
        &self,
        digest: &Digest,
        module: &[u8],
        inspection: &Inspection,
        count_gas: bool,
    ) -> Option<Made<Program>> {
        let artifacts = self.artifacts(inspection, count_gas);
        let artifact = artifacts.load(digest)?;
        match self.load(digest, module, &artifact, inspection.clone(), count_gas) {
            Ok(made) => Some(made),
            Err(error) => {
                tracing::warn!(%digest, %error, "compiled artifact cannot be loaded; it is made anew");
                artifacts.forget(digest);
                None
            }
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
    use uuid::Uuid;
    use wasmcloud_wire::{
        AccountUse, ChangeStream, Deployment, ExecutorReport, HostName, HostRoute, Record, RouteKey,
    };

    use super::*;

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

        async fn routes(&self, _: &HostName) -> Result<Vec<HostRoute>, ControlPlaneError> {
            Ok(Vec::new())
        }

        async fn report(&self, _: ExecutorReport) -> Result<(), ControlPlaneError> {
            Ok(())
        }

        async fn usage(&self, _: Uuid, _: Vec<AccountUse>) -> Result<Vec<AccountUse>, ControlPlaneError> {
            Ok(Vec::new())
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
    async fn a_user_with_many_large_modules_pushes_out_nobody_elses() {
        let dir = TempDir::new().unwrap();
        let mut programs = Programs::open(dir.path(), Limits::default(), Compiler::Here, false).unwrap();
        let modules: Vec<Bytes> = (0..6).map(|number| says(&number.to_string())).collect();
        let control = Says(modules.clone());
        let digests: Vec<Digest> = modules.iter().map(|module| Digest::of(module)).collect();
        let (modest, greedy) = (Some(UserId::new()), Some(UserId::new()));
        let get = async |programs: &Programs, place: usize, owner: Option<UserId>| {
            programs.get(&digests[place], owner, &control).await.unwrap_or_else(|error| panic!("{error}"))
        };
        drop(get(&programs, 0, modest).await);
        let each = programs.cache.bytes();
        assert!(each > modules[0].len() / 2, "{each}");
        programs.cache = Cache::new(Held { programs: PROGRAMS_MAX, bytes: each * 3 + each / 2 });
        for place in 0..6 {
            drop(get(&programs, place, if place == 0 { modest } else { greedy }).await);
        }
        let kept: Vec<usize> = (0..6).filter(|place| programs.cache.has(&digests[*place])).collect();
        assert_eq!(kept, [0, 4, 5]);
        drop(get(&programs, 0, None).await);
        assert_eq!(programs.cache.bytes() / each, 3);
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
        let programs = Arc::new(Programs::open(dir.path(), Limits::default(), compiler, false).unwrap());
        let compile = |text: String| {
            let (programs, module) = (programs.clone(), says(&text));
            async move { programs.get_local(&Digest::of(&module), module, false).await }
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
