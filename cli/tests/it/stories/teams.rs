//! A team works on its handlers.

use crate::platform::{Platform, Shape, eventually, saying};

every_shape![a_team_owns_handlers_and_its_members_do_what_their_roles_say];

fn a_team_owns_handlers_and_its_members_do_what_their_roles_say(shape: Shape) {
    let platform = Platform::start(shape);
    let (ada, bob, eve) = (platform.user("ada"), platform.user("bob"), platform.user("eve"));
    ada.run(&["teams", "create", "crew"]).good().says("you are its owner");
    eve.run(&["teams", "create", "crew"]).code(1).says("crew").says("choose another name");
    eve.run(&["teams", "show", "crew"]).code(4);
    let invited = ada.run(&["teams", "add", "crew", "bob", "--role", "viewer"]).good();
    invited.says("invited bob to be a viewer of crew").says("by bob, until ");
    bob.run(&["teams", "show", "crew"]).code(4);
    assert!(ada.run(&["teams", "show", "crew"]).good().stdout.contains("invited as viewer"));
    let invitation = bob.run(&["teams", "list"]).good();
    assert!(invitation.stdout.contains("invited as viewer"), "{}", invitation.stdout);
    invitation.says("wasmcloud teams accept crew").says("wasmcloud teams decline crew");
    bob.run(&["teams", "decline", "crew"]).good().says("declined the invitation of crew");
    bob.run(&["teams", "accept", "crew"]).code(4).says("you have no invitation of a team `crew`");
    ada.run(&["teams", "add", "crew", "bob", "--role", "viewer"]).good();
    ada.run(&["teams", "leave", "crew"]).code(1).says("the last owner").says("has to accept");
    bob.run(&["teams", "accept", "crew"]).good().says("you are a viewer of crew");
    assert!(bob.run(&["teams", "list"]).good().stdout.contains("viewer"));
    let people = bob.run(&["teams", "show", "crew"]).good().stdout;
    assert!(people.contains("ada") && people.contains("owner") && people.contains("bob"), "{people}");

    let site = ada.create_of("site", &saying("of ada"));
    ada.create_of("own", &saying("own"));
    assert!(!ada.run(&["list"]).good().stdout.contains("OWNER"), "where there is one owner, it is not shown");
    bob.run(&["show", "site"]).code(4);
    ada.run(&["transfer", "site", "bob"]).code(4).says("you belong to no team `bob`");
    ada.run(&["transfer", "site", "crew"]).good().says("site is crew's now");
    site.answers("of ada");
    let list = ada.run(&["list"]).good().stdout;
    assert!(list.contains("OWNER") && list.contains("crew") && list.contains("ada"), "{list}");
    assert!(!ada.run(&["list", "--team", "crew"]).good().stdout.contains("own "));
    assert_eq!(bob.handlers(), ["site"]);

    // A viewer sees, a deployer changes and runs, an owner decides.
    let next = bob.file("next.wat", saying("of bob"));
    bob.run(&["logs", "site"]).good();
    bob.run(&["update", "site", &next])
        .code(3)
        .says("the role deployer in the team `crew`")
        .says("yours is viewer");
    bob.run(&["create", &next, "--name", "more", "--team", "crew"]).code(3);
    ada.run(&["teams", "add", "crew", "bob"]).good().says("bob is a deployer of crew");
    bob.run(&["update", "site", &next]).good();
    site.answers("of bob");
    bob.run(&["create", &next, "--name", "more", "--team", "crew"]).good();
    bob.run(&["delete", "site", "--yes"]).code(3).says("the role owner");
    bob.run(&["transfer", "site", "bob"]).code(3);
    bob.run(&["teams", "add", "crew", "eve"]).code(3);

    // The team's log ends for whoever leaves.
    let follow = bob.begin(&["logs", "site", "--follow"]);
    bob.run(&["teams", "leave", "crew"]).good();
    bob.run(&["show", "site"]).code(4);
    assert!(bob.handlers().is_empty());
    let mut follow = follow;
    eventually("the log that is followed ends", || follow.is_over().then_some(()));

    ada.run(&["teams", "leave", "crew"]).code(1).says("the last owner");
    ada.run(&["teams", "delete", "crew", "--yes"]).code(1).says("2 handlers").says("wasmcloud transfer");
    ada.run(&["transfer", "site", "ada"]).good();
    ada.run(&["delete", "more", "--yes"]).good();
    ada.run(&["teams", "delete", "crew", "--yes"]).good();
    site.answers("of bob");
    // Its name is free.
    eve.run(&["teams", "create", "crew"]).good();
}
