use std::thread;

use crate::platform::{Handler, Platform, Shape, fixture, saying};

every_shape![rounds_of_mixed_load_leave_memory_where_it_was];

/// Rounds until everything that is kept is there, and rounds that are measured.
const WARM_ROUNDS: usize = 3;
const ROUNDS: usize = 3;
/// Requests of a round, by so many clients at once.
const REQUESTS: usize = 160;
const CLIENTS: usize = 4;
/// What all processes together may have more after the rounds: a leak of 50 KiB a request is far beyond it.
const GROWTH_KIB_MAX: u64 = 24 << 10;

fn rounds_of_mixed_load_leave_memory_where_it_was(shape: Shape) {
    let platform = Platform::start(shape);
    let admin = platform.admin();
    let says = admin.create_of("says", &saying("busy"));
    let echo = admin.create("echo", &fixture("echo.wat"));
    let traps = admin.create("traps", &fixture("trap.wat"));
    let changing = admin.create_of("changing", &saying("0"));
    let round = |number: usize| {
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| a_clients_round([&says, &echo, &traps]));
            }
        });
        changing.update(&saying(&number.to_string()));
        admin.run(&["logs", "says"]).good();
    };
    (0..WARM_ROUNDS).for_each(round);
    let before = platform.resident_kib();
    (WARM_ROUNDS..WARM_ROUNDS + ROUNDS).for_each(round);
    let after = platform.resident_kib();
    assert!(after <= before + GROWTH_KIB_MAX, "from {before} KiB to {after} KiB");
}

fn a_clients_round([says, echo, traps]: [&Handler<'_>; 3]) {
    for number in 0..REQUESTS / CLIENTS {
        match number % 4 {
            0 => drop(echo.post(vec![b'x'; 10_000]).has_status(200)),
            1 => drop(traps.get().has_status(502)),
            _ => drop(says.answers("busy")),
        }
    }
}
