//! What a store holds for its guest.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wasmcloud_wire::Limits;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::files::Files;
use super::guest::Guest;
use super::limiter::Limiter;
use super::outgoing::Outgoing;
use super::stdio::{Stdin, Stdout, To};
use crate::recording::{Random, Tape};

/// Most handles (streams, bodies, requests, …) that a guest has open at once.
const HANDLES_MAX: usize = 1_000;
/// The same of a program with files beside it: each one that is open is one of the server's own.
const HANDLES_WITH_FILES_MAX: usize = 64;
/// Most bytes that one host call copies out of a guest's memory.
pub(super) const HOSTCALL_BYTES_MAX: usize = 16 << 20;
/// Most random bytes of one call.
const RANDOM_BYTES_MAX: u64 = 64 << 10;
/// Size of the header fields that a guest holds in one list, as the host counts it.
const FIELDS_BYTES_MAX: usize = 128 << 10;
/// The clocks' resolution: what is finer tells more of the machine than a handler needs.
const CLOCK_RESOLUTION: Duration = Duration::from_millis(1);

/// What both kinds of store hold.
pub(super) struct Host {
    pub(super) guest: Arc<Guest>,
    pub(super) limiter: Limiter,
    /// The handler's own settings, for `wasi:config`.
    pub(super) settings: Vec<(String, String)>,
    /// Clocks and randomness, where the invocation is recorded or replayed.
    pub(super) tape: Option<Arc<Tape>>,
}

/// A store of a core module with WASI 0.1.
pub(super) struct ModuleState {
    pub(super) wasi: WasiP1Ctx,
    pub(super) host: Host,
}

/// A store of a component.
pub(super) struct ComponentState {
    wasi: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    outgoing: Outgoing,
    pub(super) host: Host,
}

/// What a kind of store gives to those who run a guest in it.
pub(super) trait HasHost: Send + 'static {
    fn host(&mut self) -> &mut Host;
}

impl HasHost for ModuleState {
    fn host(&mut self) -> &mut Host {
        &mut self.host
    }
}

impl HasHost for ComponentState {
    fn host(&mut self) -> &mut Host {
        &mut self.host
    }
}

/// What a guest finds around it.
pub(super) struct World<'a> {
    pub(super) guest: &'a Arc<Guest>,
    pub(super) limits: &'a Limits,
    pub(super) args: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) settings: Vec<(String, String)>,
    /// Where its standard output goes.
    pub(super) stdout: To,
    pub(super) files: Option<&'a Files>,
    /// Clocks and randomness, where the invocation is recorded or replayed.
    pub(super) tape: Option<Arc<Tape>>,
}

impl World<'_> {
    fn host(&self) -> Host {
        Host {
            guest: self.guest.clone(),
            limiter: Limiter::new(self.limits, self.guest.usage.clone()),
            settings: self.settings.clone(),
            tape: self.tape.clone(),
        }
    }

    fn handles_max(&self) -> usize {
        if self.files.is_some() { HANDLES_WITH_FILES_MAX } else { HANDLES_MAX }
    }

    fn builder(&self) -> wasmtime::Result<WasiCtxBuilder> {
        let mut builder = WasiCtx::builder();
        builder
            .args(&self.args)
            .envs(&self.env)
            .stdin(Stdin(self.guest.clone()))
            .stdout(Stdout(self.guest.clone(), self.stdout))
            .stderr(Stdout(self.guest.clone(), To::Log))
            .max_random_size(RANDOM_BYTES_MAX)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            // Else `poll_oneoff` with one clock sleeps on the thread itself, where nothing can end it.
            .allow_blocking_current_thread(false);
        match &self.tape {
            None => {
                builder.wall_clock(CoarseClock).monotonic_clock(CoarseSteadyClock(Instant::now()));
            }
            Some(tape) => on_tape(&mut builder, tape),
        }
        if let Some(files) = self.files {
            files.open_in(&mut builder)?;
        }
        Ok(builder)
    }

    pub(super) fn module_state(&self) -> wasmtime::Result<ModuleState> {
        let mut wasi = self.builder()?.build_p1();
        wasi.ctx().table.set_max_capacity(self.handles_max());
        Ok(ModuleState { wasi, host: self.host() })
    }

    pub(super) fn component_state(&self) -> wasmtime::Result<ComponentState> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(self.handles_max());
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_BYTES_MAX);
        Ok(ComponentState {
            wasi: self.builder()?.build(),
            table,
            http,
            outgoing: Outgoing::new(self.guest.clone()),
            host: self.host(),
        })
    }
}

impl WasiView for ComponentState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for ComponentState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.outgoing, table: &mut self.table, ctx: &mut self.http }
    }
}

/// The time of day, to the millisecond.
struct CoarseClock;

impl HostWallClock for CoarseClock {
    fn resolution(&self) -> Duration {
        CLOCK_RESOLUTION
    }

    fn now(&self) -> Duration {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Time since one tick before the guest began, to the millisecond: a clock at zero ends Go's programs.
struct CoarseSteadyClock(Instant);

impl HostMonotonicClock for CoarseSteadyClock {
    fn resolution(&self) -> u64 {
        u64::try_from(CLOCK_RESOLUTION.as_nanos()).unwrap_or(u64::MAX)
    }

    fn now(&self) -> u64 {
        let since = self.0.elapsed().saturating_add(CLOCK_RESOLUTION);
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        millis.saturating_mul(1_000_000)
    }
}

/// Gives a guest clocks and randomness that are recorded or replayed.
fn on_tape(builder: &mut WasiCtxBuilder, tape: &Arc<Tape>) {
    let mut seed = [0; 16];
    tape.fill(&mut seed);
    builder
        .wall_clock(TapedClock(tape.clone()))
        .monotonic_clock(TapedSteadyClock(CoarseSteadyClock(Instant::now()), tape.clone()))
        .secure_random(Random(tape.clone()))
        .insecure_random(Random(tape.clone()))
        .insecure_random_seed(u128::from_le_bytes(seed));
}

struct TapedClock(Arc<Tape>);

impl HostWallClock for TapedClock {
    fn resolution(&self) -> Duration {
        CoarseClock.resolution()
    }

    fn now(&self) -> Duration {
        let real = u64::try_from(CoarseClock.now().as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.0.wall(real))
    }
}

struct TapedSteadyClock(CoarseSteadyClock, Arc<Tape>);

impl HostMonotonicClock for TapedSteadyClock {
    fn resolution(&self) -> u64 {
        self.0.resolution()
    }

    fn now(&self) -> u64 {
        self.1.monotonic(self.0.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_clock_has_whole_milliseconds_and_never_says_zero() {
        let now = CoarseSteadyClock(Instant::now()).now();
        assert!(now >= 1_000_000, "{now}");
        assert_eq!(now % 1_000_000, 0, "{now}");
    }
}
