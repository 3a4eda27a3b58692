//! The pool under programs: nothing of a run is ever seen by another.

use wasmcloud_wire::Limits;
use wasmer::{Instance, Store, Value};

use super::*;
use crate::engine::host_exports::Kept;
use crate::engine::metering::recharge;
use crate::engine::program::{OlinProgram, compile_keeping};
use crate::programs::Verified;

/// Runs of the canary, over all its threads.
const RUNS: u64 = 10_000;
const THREADS: u64 = 4;
const PAGE: usize = 65_536;

/// A program that tells what its memory holds, and fills it.
fn wat(data: &str) -> String {
    format!(
        r#"(module
          (memory (export "memory") 3 40)
          {data}
          (func (export "_start"))
          (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
          (func (export "at") (param i32) (result i64) (i64.load (local.get 0)))
          (func (export "at_offset") (param i32) (result i32) (i32.load8_u offset=196607 (local.get 0)))
          (func (export "hash") (result i64) (local $at i32) (local $end i32) (local $hash i64)
            (local.set $end (i32.mul (memory.size) (i32.const 65536)))
            (loop $more
              (local.set $hash (i64.mul (i64.const 0x100000001b3)
                (i64.xor (local.get $hash) (i64.load (local.get $at)))))
              (local.set $at (i32.add (local.get $at) (i32.const 8)))
              (br_if $more (i32.lt_u (local.get $at) (local.get $end))))
            (local.get $hash))
          (func (export "dirty") (param $stride i32) (local $at i32) (local $end i32)
            (local.set $end (i32.mul (memory.size) (i32.const 65536)))
            (loop $more
              (i64.store (local.get $at) (i64.const -1))
              (local.set $at (i32.add (local.get $at) (local.get $stride)))
              (br_if $more (i32.lt_u (local.get $at) (local.get $end))))))"#
    )
}

struct Tenant {
    program: OlinProgram,
    /// The memory before a run, as the program's text says.
    memory: Vec<u8>,
}

fn tenant(pool: &Arc<Pool>, segments: &[(usize, &[u8])]) -> Tenant {
    let mut memory = vec![0; 3 * PAGE];
    let mut data = String::new();
    for (start, bytes) in segments {
        memory[*start..start + bytes.len()].copy_from_slice(bytes);
        let text: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        data += &format!("(data (i32.const {start}) \"{text}\")");
    }
    Tenant { program: program(pool, &wat(&data)), memory }
}

fn program(pool: &Arc<Pool>, wat: &str) -> OlinProgram {
    let module = wat::parse_str(wat).unwrap();
    let inspection = wasmcloud_inspect::inspect(&module, &Limits::default()).unwrap();
    let artifact = Verified::fresh(compile_keeping(&module, Kept::All).unwrap());
    OlinProgram::load(&artifact, inspection, pool).unwrap()
}

/// One instance.
struct Run {
    store: Store,
    instance: Instance,
}

impl Run {
    fn of(program: &OlinProgram, limits: &Limits) -> Run {
        let mut store = Store::new(program.bounded_engine(limits, &Arc::default()));
        let instance = Instance::new_by_index(&mut store, &program.module, &[]).unwrap();
        recharge(&mut store, &instance, u64::MAX / 2);
        Run { store, instance }
    }

    fn try_call(&mut self, name: &str, arguments: &[i32]) -> Result<i64, wasmer::RuntimeError> {
        let function = self.instance.exports.get_function(name).unwrap();
        let arguments: Vec<Value> = arguments.iter().copied().map(Value::I32).collect();
        let results = function.call(&mut self.store, &arguments)?;
        Ok(results.first().and_then(|value| value.i64().or(value.i32().map(i64::from))).unwrap_or(0))
    }

    fn call(&mut self, name: &str, arguments: &[i32]) -> i64 {
        self.try_call(name, arguments).unwrap()
    }
}

fn hash(memory: &[u8], bytes: usize) -> i64 {
    let mut memory = memory.to_vec();
    memory.resize(bytes, 0);
    let words = memory.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap()));
    words.fold(0u64, |hash, word| (hash ^ word).wrapping_mul(0x0100_0000_01b3)).cast_signed()
}

/// Numbers that look like chance, the same every time.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// Runs two tenants' programs, and one without data, in slots that the others just left.
fn no_run_sees_another(pages: PageMap, runs: u64) {
    let pool = Arc::new(Pool { pages, ..Arc::into_inner(Pool::new().unwrap()).unwrap() });
    let tenants = [
        tenant(&pool, &[(100, b"one tenant"), (70_000, &[0xaa; 9_000])]),
        tenant(&pool, &[(4_090, b"the other tenant's, over a page's end"), (3 * PAGE - 1, b"!")]),
        tenant(&pool, &[]),
    ];
    let (pool, tenants) = (&pool, &tenants);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || {
                let mut seed = thread;
                for run in 0..runs / THREADS {
                    let tenant = &tenants[(next(&mut seed) % 3) as usize];
                    let mut instance = Run::of(&tenant.program, &Limits::default());
                    // Up to 160 pages of the system's: more than are kept, and fewer.
                    let grown =
                        if next(&mut seed).is_multiple_of(4) { next(&mut seed) % 8 } else { 0 } as i32;
                    assert_eq!(instance.call("grow", &[grown]), 3);
                    let bytes = (3 + grown as usize) * PAGE;
                    let expected = hash(&tenant.memory, bytes);
                    assert_eq!(instance.call("hash", &[]), expected, "run {run} of thread {thread}");
                    let stride = 8 << (next(&mut seed) % 12);
                    instance.call("dirty", &[stride]);
                    assert_ne!(instance.call("hash", &[]), expected, "nothing was written");
                }
            });
        }
    });
    // One for each program as it was loaded, and one for each thread and program.
    assert!(pool.free().len() <= (3 + THREADS * 3) as usize, "slots are used again");
}

#[test]
fn ten_thousand_runs_of_two_tenants_see_nothing_of_each_other() {
    let pages = PageMap::open();
    assert!(pages.written(0..0).is_some(), "this kernel cannot tell which pages were written");
    no_run_sees_another(pages, RUNS);
}

#[test]
fn nor_do_they_where_the_kernel_cannot_tell_which_pages_were_written() {
    no_run_sees_another(PageMap::none(), RUNS / 10);
}

#[test]
fn accesses_end_exactly_where_the_memory_does() {
    let pool = Pool::new().unwrap();
    let tenant = tenant(&pool, &[(0, b"x")]);
    // A larger memory was here before.
    Run::of(&tenant.program, &Limits::default()).call("grow", &[30]);
    let mut run = Run::of(&tenant.program, &Limits::default());
    let end = 3 * PAGE as i32;
    assert_eq!(run.call("at", &[end - 8]), 0);
    for beyond in [end - 7, end, end + PAGE as i32, i32::MAX, -8, -1] {
        let error = run.try_call("at", &[beyond]).unwrap_err();
        assert!(error.message().contains("out of bounds memory access"), "{beyond}: {error}");
    }
    assert_eq!(run.call("at_offset", &[0]), 0);
    for beyond in [1, PAGE as i32, -1] {
        assert!(run.try_call("at_offset", &[beyond]).is_err(), "{beyond}");
    }
    assert_eq!(run.call("grow", &[1]), 3);
    assert_eq!(run.call("at", &[end + PAGE as i32 - 8]), 0);
    assert!(run.try_call("at", &[end + PAGE as i32 - 7]).is_err());
}

#[test]
fn growing_beyond_a_limit_is_minus_one_and_changes_nothing() {
    let pool = Pool::new().unwrap();
    let tenant = tenant(&pool, &[]);
    let limits = Limits { memory_bytes: 5 * PAGE as u64, ..Limits::default() };
    let mut run = Run::of(&tenant.program, &limits);
    // First by the invocation's limit, then by the program's own maximum.
    assert_eq!(run.call("grow", &[3]), -1);
    assert_eq!(run.call("grow", &[2]), 3);
    assert_eq!(run.call("grow", &[1]), -1);
    assert_eq!(run.call("grow", &[0]), 5);
    let mut run = Run::of(&tenant.program, &Limits::default());
    assert_eq!(run.call("grow", &[38]), -1);
    assert_eq!(run.call("grow", &[-1]), -1);
    assert_eq!(run.call("grow", &[37]), 3);
}

#[test]
fn data_that_does_not_fit_fails_each_run_as_the_specification_says() {
    let pool = Pool::new().unwrap();
    for offset in [PAGE - 2, PAGE + 1] {
        let wat = format!(
            r#"(module (memory (export "memory") 1) (func (export "_start"))
                 (data (i32.const 8) "fits") (data (i32.const {offset}) "does not fit"))"#
        );
        let program = program(&pool, &wat);
        assert_eq!(program.image_bytes(), 0);
        let mut store = Store::new(program.bounded_engine(&Limits::default(), &Arc::default()));
        let error = Instance::new_by_index(&mut store, &program.module, &[]).unwrap_err();
        assert!(error.to_string().contains("out of bounds memory access"), "{error}");
    }
}

#[test]
fn data_that_lies_far_apart_is_written_by_each_run_and_makes_no_image() {
    let pool = Pool::new().unwrap();
    let wat = r#"(module (memory (export "memory") 1000) (func (export "_start"))
             (data (i32.const 8) "begins!!") (data (i32.const 65000000) "and ends")
             (func (export "at") (param i32) (result i64) (i64.load (local.get 0))))"#;
    let program = program(&pool, wat);
    assert_eq!(program.image_bytes(), 0);
    for _ in 0..2 {
        let mut run = Run::of(&program, &Limits::default());
        assert_eq!(run.call("at", &[8]).to_le_bytes(), *b"begins!!");
        assert_eq!(run.call("at", &[65_000_000]).to_le_bytes(), *b"and ends");
    }
}

#[test]
fn passive_data_is_still_copied_when_the_program_asks() {
    let pool = Pool::new().unwrap();
    let program = program(
        &pool,
        r#"(module (memory (export "memory") 1) (func (export "_start"))
             (data (i32.const 0) "active") (data $passive "passive!") (data (i32.const 6) "")
             (func (export "at") (param i32) (result i64)
               (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 8))
               (i64.load (local.get 0))))"#,
    );
    for _ in 0..3 {
        let mut run = Run::of(&program, &Limits::default());
        assert_eq!(run.call("at", &[0]).to_le_bytes(), *b"passive!");
    }
}

#[test]
fn an_idle_pool_is_bounded() {
    let pool = Pool::new().unwrap();
    let slots: Vec<Slot> = (0..FREE_MAX + 9).map(|_| pool.take(PAGE, None).unwrap()).collect();
    for slot in slots {
        pool.give_back(slot, PAGE, None);
    }
    assert_eq!(pool.free().len(), FREE_MAX);
    let large = pool.take(16 * SLOT_BYTES_MIN + 1, None).unwrap();
    assert_eq!(large.capacity(), 32 * SLOT_BYTES_MIN);
    pool.give_back(large, 0, None);
    assert_eq!(pool.free().len(), FREE_MAX);
}

#[test]
fn a_slot_of_a_large_run_is_not_kept() {
    let pool = Pool::new().unwrap();
    for (bytes, kept) in [(KEPT_BYTES_MAX, 1), (KEPT_BYTES_MAX + PAGE, 0)] {
        let slot = pool.take(bytes, None).unwrap();
        pool.free().clear();
        pool.give_back(slot, bytes, None);
        assert_eq!(pool.free().len(), kept, "{bytes}");
    }
}

#[test]
fn a_program_that_is_gone_leaves_no_image_behind() {
    let pool = Pool::new().unwrap();
    let blocks = || rustix::fs::fstat(pool.images.file()).unwrap().st_blocks;
    let tenant = tenant(&pool, &[(0, &[7; 3 * PAGE])]);
    drop(Run::of(&tenant.program, &Limits::default()));
    assert_eq!(tenant.program.image_bytes(), 3 * PAGE);
    assert_eq!(blocks() * 512, 3 * PAGE as i64);
    drop(tenant);
    assert_eq!(blocks(), 0);
    assert_eq!(pool.free().len(), 2, "its slots are kept, for any other program");
}
