//! Sessions, identities, steps, logins and accounts, told to the store alone, over every database.

use uuid::Uuid;
use wasmcloud_api::store::{
    Changed, Grounds, Keep, KeepTokens, Linked, LoginAsked, LoginRoom, NewIdentity, NewLoginRow,
    NewSessionRow, NewTicket, NewTokenRow, NewUser, Polled, Registered, Store, Unlinked,
};
use wasmcloud_wire::body::{Scope, User};
use wasmcloud_wire::{Timestamp, UserId};

use crate::database::{Database, on_both_databases};

on_both_databases!(
    sessions_end_by_time_by_want_of_use_and_at_will,
    a_ticket_is_good_once_for_its_own_purpose,
    an_identity_is_one_users_and_the_last_way_to_sign_in_stays,
    a_newcomer_uses_up_ticket_and_invitation_or_neither,
    a_login_is_approved_once_and_fetched_once,
    accounts_are_suspended_and_the_last_operator_stays,
    a_new_password_ends_what_the_user_is_known_by,
    of_two_who_know_the_same_old_password_one_sets_another,
    nothing_is_given_on_grounds_that_hold_no_more,
    a_login_beyond_the_most_revokes_the_token_that_was_not_used_for_longest,
    addresses_of_one_network_wait_together,
);

const NOW: Timestamp = Timestamp(1_600_000_000_000);

fn later(ms: i64) -> Timestamp {
    Timestamp(NOW.0 + ms)
}

async fn user(store: &dyn Store, name: &str, is_admin: bool, password_hash: &str) -> User {
    let new = NewUser {
        id: UserId::new(),
        name: name.parse().unwrap(),
        password_hash: password_hash.to_owned(),
        is_admin,
    };
    store.create_user(new).await.unwrap()
}

fn session(user: &User, number: u8, now: Timestamp) -> NewSessionRow {
    NewSessionRow {
        id: Uuid::now_v7(),
        secret_hash: [number; 32],
        user: user.id,
        user_agent: "a browser".to_owned(),
        peer: "192.0.2.1".to_owned(),
        now,
        expires_at: Timestamp(now.0 + 10_000),
    }
}

async fn sessions_end_by_time_by_want_of_use_and_at_will(database: Database) {
    let store = database.open().await.unwrap();
    let (ada, bob) =
        (user(store.as_ref(), "ada", true, "x").await, user(store.as_ref(), "bob", false, "x").await);
    let first = session(&ada, 1, NOW);
    assert!(store.create_session(&first, 3, &Grounds::Known).await.unwrap());
    let live =
        async |now: i64, idle: i64| store.live_session(&[1; 32], later(now), later(idle)).await.unwrap();
    let found = live(1, -5).await.unwrap();
    assert_eq!((found.id, found.user.id, found.seen_at, found.suspended), (first.id, ada.id, NOW, None));
    assert!(live(10_000, -5).await.is_none(), "it has expired");
    assert!(live(1, 0).await.is_none(), "it was not used");
    assert!(store.live_session(&[9; 32], NOW, later(-5)).await.unwrap().is_none());

    store.see_session(first.id, later(60)).await.unwrap();
    store.see_session(first.id, later(30)).await.unwrap();
    assert_eq!(live(61, 0).await.unwrap().seen_at, later(60), "a later look is not undone by an earlier one");
    assert!(store.session_is_live(first.id, later(61), NOW).await.unwrap());

    for number in 2..=4 {
        assert!(
            store
                .create_session(&session(&ada, number, later(100 + i64::from(number))), 3, &Grounds::Known)
                .await
                .unwrap()
        );
    }
    let listed = store.sessions(ada.id, later(200), NOW).await.unwrap();
    assert_eq!(listed.len(), 3, "the one that was not used for longest has ended");
    assert!(live(200, 0).await.is_none());
    assert_eq!(store.sessions(bob.id, later(200), NOW).await.unwrap().len(), 0);
    assert!(!store.end_session(bob.id, listed[0].id).await.unwrap(), "it is not bob's");
    assert!(store.end_session(ada.id, listed[0].id).await.unwrap());
    assert!(!store.end_session(ada.id, listed[0].id).await.unwrap());
    store.sweep_expired(later(1_000_000)).await.unwrap();
    assert_eq!(store.sessions(ada.id, later(200), NOW).await.unwrap().len(), 0);
}

async fn a_ticket_is_good_once_for_its_own_purpose(database: Database) {
    let store = database.open().await.unwrap();
    let ada = user(store.as_ref(), "ada", true, "x").await;
    let ticket = |number: u8, user: Option<UserId>| NewTicket {
        secret_hash: [number; 32],
        kind: "some",
        user,
        data: format!("{{\"n\":{number}}}"),
        expires_at: later(1000),
    };
    store.create_ticket(&ticket(1, None), true).await.unwrap();
    assert!(store.take_ticket(&[1; 32], "another", NOW).await.unwrap().is_none());
    assert!(store.take_ticket(&[1; 32], "some", later(1000)).await.unwrap().is_none());
    assert_eq!(store.ticket(&[1; 32], "some", NOW).await.unwrap().unwrap().data, "{\"n\":1}");
    assert_eq!(store.take_ticket(&[1; 32], "some", NOW).await.unwrap().unwrap().user, None);
    assert!(store.take_ticket(&[1; 32], "some", NOW).await.unwrap().is_none());

    store.create_ticket(&ticket(2, Some(ada.id)), true).await.unwrap();
    store.create_ticket(&ticket(3, Some(ada.id)), true).await.unwrap();
    assert!(store.ticket(&[2; 32], "some", NOW).await.unwrap().is_none(), "the later one has replaced it");
    assert_eq!(store.ticket(&[3; 32], "some", NOW).await.unwrap().unwrap().user, Some(ada.id));
    assert_eq!(store.sweep_expired(later(1000)).await.unwrap(), 1);
}

fn identity(subject: &str) -> NewIdentity {
    NewIdentity {
        id: Uuid::now_v7(),
        provider: "git".to_owned(),
        issuer: "https://git.example.net".to_owned(),
        subject: subject.to_owned(),
        label: format!("label of {subject}"),
    }
}

async fn an_identity_is_one_users_and_the_last_way_to_sign_in_stays(database: Database) {
    let store = database.open().await.unwrap();
    let (ada, bob) =
        (user(store.as_ref(), "ada", true, "").await, user(store.as_ref(), "bob", false, "x").await);
    let known = async |subject: &str| {
        store.sign_in_as("https://git.example.net", subject, "new label", NOW).await.unwrap()
    };
    assert!(known("1").await.is_none());
    let Linked::Done(first) = store.link_identity(ada.id, &identity("1"), 2, &Grounds::Known).await.unwrap()
    else {
        panic!()
    };
    assert_eq!((first.provider.as_str(), first.label.as_str(), first.used_at), ("git", "label of 1", None));
    assert!(matches!(
        store.link_identity(bob.id, &identity("1"), 2, &Grounds::Known).await.unwrap(),
        Linked::Taken
    ));
    let again = store.link_identity(ada.id, &identity("1"), 2, &Grounds::Known).await.unwrap();
    assert!(matches!(again, Linked::Done(same) if same.id == first.id));
    assert_eq!(known("1").await.unwrap().user.id, ada.id);
    let listed = store.identities(ada.id).await.unwrap();
    assert_eq!((listed[0].label.as_str(), listed[0].used_at), ("new label", Some(NOW)));
    // The same subject elsewhere is somebody else.
    assert!(store.sign_in_as("https://other.example.net", "1", "", NOW).await.unwrap().is_none());

    let Linked::Done(second) = store.link_identity(ada.id, &identity("2"), 2, &Grounds::Known).await.unwrap()
    else {
        panic!()
    };
    assert!(matches!(
        store.link_identity(ada.id, &identity("3"), 2, &Grounds::Known).await.unwrap(),
        Linked::TooMany
    ));
    let providers = ["git".to_owned()];
    assert_eq!(store.unlink_identity(bob.id, first.id, &providers).await.unwrap(), Unlinked::NotFound);
    assert_eq!(store.unlink_identity(ada.id, first.id, &[]).await.unwrap(), Unlinked::LastWay);
    assert_eq!(store.unlink_identity(ada.id, first.id, &providers).await.unwrap(), Unlinked::Done);
    assert_eq!(store.unlink_identity(ada.id, second.id, &providers).await.unwrap(), Unlinked::LastWay);
    assert_eq!(store.identities(ada.id).await.unwrap().len(), 1);
    let Linked::Done(of_bob) = store.link_identity(bob.id, &identity("1"), 2, &Grounds::Known).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(
        store.unlink_identity(bob.id, of_bob.id, &[]).await.unwrap(),
        Unlinked::Done,
        "bob has a password"
    );
}

async fn a_newcomer_uses_up_ticket_and_invitation_or_neither(database: Database) {
    let store = database.open().await.unwrap();
    let ada = user(store.as_ref(), "ada", true, "x").await;
    store.create_invitation(&[7; 32], ada.id, later(1000)).await.unwrap();
    let ticket = NewTicket {
        secret_hash: [1; 32],
        kind: "newcomer",
        user: None,
        data: "{}".to_owned(),
        expires_at: later(1000),
    };
    store.create_ticket(&ticket, false).await.unwrap();
    let register = async |name: &str, ticket: u8, invitation: u8| {
        let new = NewUser {
            id: UserId::new(),
            name: name.parse().unwrap(),
            password_hash: String::new(),
            is_admin: false,
        };
        let code = [invitation; 32];
        store.register_identity(new, &identity("1"), &[ticket; 32], Some(&code), NOW).await.unwrap()
    };
    assert!(matches!(register("eve", 2, 7).await, Registered::NoTicket));
    assert!(matches!(register("eve", 1, 8).await, Registered::NoInvitation));
    assert!(matches!(register("ada", 1, 7).await, Registered::NameTaken));
    let Registered::Done(eve) = register("eve", 1, 7).await else { panic!() };
    assert_eq!(store.identities(eve.id).await.unwrap().len(), 1);
    assert!(matches!(register("zoe", 1, 7).await, Registered::NoTicket));
    let invitations = store.invitations(NOW).await.unwrap();
    assert_eq!(invitations[0].used_by.as_ref().map(|name| name.as_str()), Some("eve"));
    assert_eq!(invitations[0].id, "070707070707");
    assert!(!store.revoke_invitation(&invitations[0].id).await.unwrap(), "it was used");
    store.create_invitation(&[8; 32], ada.id, later(1000)).await.unwrap();
    assert!(store.revoke_invitation("080808080808").await.unwrap());
    assert_eq!(store.invitations(NOW).await.unwrap().len(), 1);
}

async fn a_login_is_approved_once_and_fetched_once(database: Database) {
    let store = database.open().await.unwrap();
    let ada = user(store.as_ref(), "ada", true, "x").await;
    let login = |code: &str, peer: &str, port: Option<u16>| NewLoginRow {
        id: Uuid::new_v4(),
        user_code: code.to_owned(),
        challenge: [1; 32],
        label: "a laptop".to_owned(),
        peer: peer.to_owned(),
        redirect_port: port,
        expires_at: later(1000),
    };
    let room = LoginRoom { all: 3, of_peer: 2 };
    let (device, here) = (login("AAAA", "p1", None), login("BBBB", "p1", Some(4000)));
    assert_eq!(store.create_login(&device, room, NOW).await.unwrap(), LoginAsked::Done);
    assert_eq!(
        store.create_login(&login("AAAA", "p2", None), room, NOW).await.unwrap(),
        LoginAsked::CodeTaken
    );
    assert_eq!(store.create_login(&here, room, NOW).await.unwrap(), LoginAsked::Done);
    assert_eq!(store.create_login(&login("CCCC", "p1", None), room, NOW).await.unwrap(), LoginAsked::Full);
    assert_eq!(store.create_login(&login("CCCC", "p2", None), room, NOW).await.unwrap(), LoginAsked::Done);
    assert_eq!(store.create_login(&login("DDDD", "p3", None), room, NOW).await.unwrap(), LoginAsked::Full);

    let poll = async |id: Uuid, challenge: u8, code: Option<u8>, now: i64| {
        let code = code.map(|byte| [byte; 32]);
        store.poll_login(id, &[challenge; 32], code.as_ref(), later(now - 10), later(now)).await.unwrap()
    };
    assert_eq!(poll(device.id, 2, None, 20).await, Polled::Gone, "another verifier");
    assert_eq!(poll(device.id, 1, None, 20).await, Polled::Pending);
    assert_eq!(poll(device.id, 1, None, 25).await, Polled::TooOften);
    assert!(store.pending_login("AAAA", later(1000)).await.unwrap().is_none(), "it has expired");
    assert_eq!(store.pending_login("AAAA", NOW).await.unwrap().unwrap().id, device.id);
    assert!(store.decide_login("AAAA", (ada.id, &Grounds::Known), true, None, NOW).await.unwrap());
    assert!(
        !store.decide_login("AAAA", (ada.id, &Grounds::Known), false, None, NOW).await.unwrap(),
        "it is decided"
    );
    let approved = Polled::Approved { user: ada.id, label: "a laptop".to_owned() };
    assert_eq!(poll(device.id, 1, None, 40).await, approved);
    assert_eq!(poll(device.id, 1, None, 60).await, Polled::Gone, "it was fetched");

    assert!(store.decide_login("BBBB", (ada.id, &Grounds::Known), true, Some(&[5; 32]), NOW).await.unwrap());
    assert_eq!(poll(here.id, 1, None, 40).await, Polled::WrongCode);
    assert_eq!(poll(here.id, 1, Some(6), 60).await, Polled::WrongCode);
    assert_eq!(poll(here.id, 1, Some(5), 80).await, approved);
    assert!(store.decide_login("CCCC", (ada.id, &Grounds::Known), false, None, NOW).await.unwrap());
    assert_eq!(store.sweep_expired(later(1000)).await.unwrap(), 3);
}

async fn accounts_are_suspended_and_the_last_operator_stays(database: Database) {
    let store = database.open().await.unwrap();
    let (ada, bob) =
        (user(store.as_ref(), "ada", true, "x").await, user(store.as_ref(), "bob", false, "x").await);
    assert_eq!(store.set_admin(ada.id, false).await.unwrap(), Changed::LastOperator);
    assert_eq!(store.suspend(ada.id, "why", NOW).await.unwrap(), Changed::LastOperator);
    assert_eq!(store.set_admin(UserId::new(), true).await.unwrap(), Changed::NotFound);
    assert_eq!(store.suspend(bob.id, "spam", NOW).await.unwrap(), Changed::Done);
    assert_eq!(store.suspend(bob.id, "more spam", later(5)).await.unwrap(), Changed::Done);
    let name = "bob".parse().unwrap();
    let suspension = store.person(&name).await.unwrap().unwrap().suspension.unwrap();
    assert_eq!((suspension.since, suspension.reason.as_str()), (NOW, "more spam"));
    assert_eq!(store.known(bob.id).await.unwrap().unwrap().suspended.as_deref(), Some("more spam"));
    // An operator who is suspended is none to rely on.
    assert_eq!(store.set_admin(bob.id, true).await.unwrap(), Changed::Done);
    assert_eq!(store.set_admin(ada.id, false).await.unwrap(), Changed::LastOperator);
    assert!(store.resume(bob.id).await.unwrap() && !store.resume(bob.id).await.unwrap());
    assert_eq!(store.set_admin(ada.id, false).await.unwrap(), Changed::Done);

    let names = async |query: &str, after: Option<&str>, limit: u32| {
        let after = after.map(|name| name.parse().unwrap());
        let people = store.people(query, after.as_ref(), limit).await.unwrap();
        people.into_iter().map(|info| info.user.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("", None, 10).await, ["ada", "bob"]);
    assert_eq!(names("", Some("ada"), 10).await, ["bob"]);
    assert_eq!(names("", None, 1).await, ["ada"]);
    assert_eq!(names("o", None, 10).await, ["bob"]);
    let info = store.person(&name).await.unwrap().unwrap();
    assert_eq!((info.plan.as_str(), info.handlers, info.is_team, info.seen_at), ("standard", 0, false, None));
    assert!(store.person(&"nobody".parse().unwrap()).await.unwrap().is_none());
}

async fn a_new_password_ends_what_the_user_is_known_by(database: Database) {
    let store = database.open().await.unwrap();
    let (ada, bob) =
        (user(store.as_ref(), "ada", true, "old").await, user(store.as_ref(), "bob", false, "x").await);
    let kept = session(&ada, 1, NOW);
    for row in [&kept, &session(&ada, 2, NOW), &session(&bob, 3, NOW)] {
        assert!(store.create_session(row, 10, &Grounds::Known).await.unwrap());
    }
    let ticket = |number: u8| NewTicket {
        secret_hash: [number; 32],
        kind: "reset",
        user: Some(ada.id),
        data: "{}".to_owned(),
        expires_at: later(1000),
    };
    store.create_ticket(&ticket(1), true).await.unwrap();
    let keep = Keep { session: Some(kept.id), tokens: KeepTokens::All };
    assert!(store.set_password(ada.id, "old", "new", keep, NOW).await.unwrap());
    assert_eq!(store.password_hash(ada.id).await.unwrap().as_deref(), Some("new"));
    let left = store.sessions(ada.id, NOW, later(-5)).await.unwrap();
    assert_eq!(left.iter().map(|session| session.id).collect::<Vec<_>>(), [kept.id]);
    assert_eq!(store.sessions(bob.id, NOW, later(-5)).await.unwrap().len(), 1);
    assert_eq!(store.reset_password(&[1; 32], "reset", NOW).await.unwrap(), None, "the reset has ended too");

    store.create_ticket(&ticket(2), true).await.unwrap();
    assert_eq!(store.reset_password(&[2; 32], "reset", later(1000)).await.unwrap(), None, "it has expired");
    assert_eq!(store.reset_password(&[2; 32], "reset", NOW).await.unwrap(), Some(ada.id));
    assert_eq!(store.reset_password(&[2; 32], "again", NOW).await.unwrap(), None, "it was used");
    assert_eq!(store.password_hash(ada.id).await.unwrap().as_deref(), Some("reset"));
    assert!(store.sessions(ada.id, NOW, later(-5)).await.unwrap().is_empty());
}

async fn of_two_who_know_the_same_old_password_one_sets_another(database: Database) {
    let store = database.open().await.unwrap();
    let keep = Keep { session: None, tokens: KeepTokens::All };
    for (name, old) in [("ada", "old"), ("bob", "")] {
        let id = user(store.as_ref(), name, false, old).await.id;
        let changes = ["one", "other"].map(|new| store.set_password(id, old, new, keep, NOW));
        let set =
            futures::future::join_all(changes).await.into_iter().filter(|set| *set.as_ref().unwrap()).count();
        assert_eq!(set, 1, "{name}");
        assert!(!store.set_password(id, old, "third", keep, NOW).await.unwrap());
    }
}

fn token(user: &User, label: &str) -> NewTokenRow {
    NewTokenRow {
        id: Uuid::now_v7(),
        user: user.id,
        label: label.to_owned(),
        expires_at: later(10_000),
        scopes: Scope::ALL.to_vec(),
        handlers: None,
    }
}

async fn nothing_is_given_on_grounds_that_hold_no_more(database: Database) {
    let store = database.open().await.unwrap();
    let (ada, bob) =
        (user(store.as_ref(), "ada", true, "old").await, user(store.as_ref(), "bob", false, "x").await);
    let (of_session, of_token, of_login) = (session(&ada, 1, NOW), token(&ada, "ci"), Uuid::new_v4());
    assert!(store.create_session(&of_session, 10, &Grounds::Known).await.unwrap());
    assert!(store.create_token(of_token.clone(), None, &Grounds::Known, NOW).await.unwrap());
    let known = Grounds::Known;
    let identity = identity("1");
    assert!(matches!(store.link_identity(ada.id, &identity, 2, &known).await.unwrap(), Linked::Done(_)));
    let login = |id: Uuid, code: &str| NewLoginRow {
        id,
        user_code: code.to_owned(),
        challenge: [1; 32],
        label: "a laptop".to_owned(),
        peer: "192.0.2.1".to_owned(),
        redirect_port: None,
        expires_at: later(10_000),
    };
    let room = LoginRoom { all: 9, of_peer: 9 };
    for (id, code) in [(of_login, "AAAA"), (Uuid::new_v4(), "BBBB")] {
        assert_eq!(store.create_login(&login(id, code), room, NOW).await.unwrap(), LoginAsked::Done);
    }
    assert!(store.decide_login("AAAA", (ada.id, &known), true, None, NOW).await.unwrap());
    let grounds = [
        Grounds::Password("old".to_owned()),
        Grounds::Session(of_session.id),
        Grounds::Token(of_token.id),
        Grounds::Login(of_login),
        Grounds::Identity { issuer: identity.issuer.clone(), subject: identity.subject.clone() },
    ];
    let number = std::cell::Cell::new(10);
    let given = async |user: &User, grounds: &Grounds| {
        number.set(number.get() + 1);
        let session = store.create_session(&session(user, number.get(), NOW), 10, grounds).await.unwrap();
        let token = store.create_token(token(user, "new"), None, grounds, NOW).await.unwrap();
        assert_eq!(session, token, "{grounds:?}");
        token
    };
    for grounds in &grounds {
        assert!(given(&ada, grounds).await, "{grounds:?}");
        assert!(!given(&bob, grounds).await, "{grounds:?} is another user's");
    }
    store.suspend(bob.id, "why", NOW).await.unwrap();
    assert!(!given(&bob, &known).await, "bob is suspended");

    let keep = Keep { session: None, tokens: KeepTokens::Only(None) };
    assert!(store.set_password(ada.id, "old", "new", keep, NOW).await.unwrap());
    let [ended @ .., _] = &grounds;
    for grounds in ended {
        assert!(!given(&ada, grounds).await, "{grounds:?}");
    }
    assert!(!store.decide_login("BBBB", (ada.id, &grounds[1]), true, None, NOW).await.unwrap());
    let linked = store.link_identity(ada.id, &identity, 2, &grounds[1]).await.unwrap();
    assert!(matches!(linked, Linked::Unfounded));
    assert!(given(&ada, &grounds[4]).await, "the identity is hers still");
    let own = store.identities(ada.id).await.unwrap()[0].id;
    assert_eq!(store.unlink_identity(ada.id, own, &[]).await.unwrap(), Unlinked::Done);
    assert!(!given(&ada, &grounds[4]).await);
    assert!(store.sessions(bob.id, NOW, later(-5)).await.unwrap().is_empty());
}

async fn a_login_beyond_the_most_revokes_the_token_that_was_not_used_for_longest(database: Database) {
    let store = database.open().await.unwrap();
    let ada = user(store.as_ref(), "ada", true, "x").await;
    let by_hand = token(&ada, "ci");
    assert!(store.create_token(by_hand.clone(), None, &Grounds::Known, NOW).await.unwrap());
    let logins: Vec<_> = (0..4).map(|_| token(&ada, "login")).collect();
    for (number, login) in logins.iter().enumerate() {
        assert!(store.create_token(login.clone(), Some(3), &Grounds::Known, NOW).await.unwrap());
        // The first is used last: whenever the others were made, it is before that.
        let used = if number == 0 { i64::MAX } else { 0 };
        store.note_token_use(login.id, Timestamp(used.saturating_add(number as i64))).await.unwrap();
    }
    let live = store.tokens(ada.id, NOW).await.unwrap();
    let mut live: Vec<_> = live.iter().map(|token| token.id).collect();
    live.sort_unstable();
    assert_eq!(live, [by_hand.id, logins[0].id, logins[2].id, logins[3].id]);
}

async fn addresses_of_one_network_wait_together(database: Database) {
    let store = database.open().await.unwrap();
    let room = LoginRoom { all: 9, of_peer: 2 };
    let ask = async |code: &str, peer: &str| {
        let new = NewLoginRow {
            id: Uuid::new_v4(),
            user_code: code.to_owned(),
            challenge: [1; 32],
            label: "a laptop".to_owned(),
            peer: peer.to_owned(),
            redirect_port: None,
            expires_at: later(1000),
        };
        store.create_login(&new, room, NOW).await.unwrap()
    };
    assert_eq!(ask("AAAA", "2001:db8::1").await, LoginAsked::Done);
    assert_eq!(ask("BBBB", "2001:db8::2").await, LoginAsked::Done);
    assert_eq!(ask("CCCC", "2001:db8::3").await, LoginAsked::Full);
    assert_eq!(ask("CCCC", "2001:db8:0:1::1").await, LoginAsked::Done);
    assert_eq!(ask("DDDD", "192.0.2.1").await, LoginAsked::Done);
}
