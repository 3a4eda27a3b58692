use crate::platform::{Platform, Shape, saying};

larger_shapes![a_clock_that_jumps_an_hour_either_way_logs_nobody_out_and_ends_nothing];

fn a_clock_that_jumps_an_hour_either_way_logs_nobody_out_and_ends_nothing(shape: Shape) {
    let platform = Platform::new(shape).with_a_clock_that_jumps().started();
    let admin = platform.admin();
    let handler = admin.create_of("steady", &saying("one"));
    for (number, jump) in ["+3600", "-3600", "+0"].into_iter().enumerate() {
        platform.jump(jump);
        for _ in 0..5 {
            handler.answers(&if number == 0 { "one".to_owned() } else { format!("jump {number}") });
            admin.run(&["list"]).good();
        }
        // The planes still trust each other.
        let words = format!("jump {}", number + 1);
        handler.update(&saying(&words));
        let invocation = handler.answers(&words).invocation();
        crate::platform::eventually("the record", || {
            Some(admin.run(&["invocations", "steady", &invocation])).filter(|done| done.code == 0)
        });
    }
}
