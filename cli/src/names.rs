//! Names for handlers whose owner has none in mind: a tarot card and a number.

use std::collections::HashSet;

use wasmcloud_wire::HandlerName;

use crate::exit::Exit;
use crate::failure::Failure;

const MAJOR: [&str; 22] = [
    "the-fool",
    "the-magician",
    "the-high-priestess",
    "the-empress",
    "the-emperor",
    "the-hierophant",
    "the-lovers",
    "the-chariot",
    "strength",
    "the-hermit",
    "wheel-of-fortune",
    "justice",
    "the-hanged-man",
    "death",
    "temperance",
    "the-devil",
    "the-tower",
    "the-star",
    "the-moon",
    "the-sun",
    "judgement",
    "the-world",
];

const RANKS: [&str; 14] = [
    "ace", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "page", "knight", "queen",
    "king",
];

const SUITS: [&str; 4] = ["wands", "cups", "swords", "pentacles"];

const NUMBER_MIN: u64 = 1_000;
const NUMBER_MAX: u64 = 99_999;

/// Most names that are made at once, far below the number of names that there are.
pub const COUNT_MAX: usize = 10_000;

/// Tries for a name before giving up; two equal names among [`COUNT_MAX`] are rare.
const TRIES_MAX: usize = COUNT_MAX * 2;

/// The cards of a deck.
const CARDS: usize = MAJOR.len() + RANKS.len() * SUITS.len();

/// The name of a card, counted from 0, the major arcana first.
fn card(index: usize) -> String {
    if let Some(major) = MAJOR.get(index) {
        return (*major).to_owned();
    }
    let minor = index.saturating_sub(MAJOR.len());
    let rank = RANKS.get(minor % RANKS.len()).unwrap_or(&"ace");
    let suit = SUITS.get(minor / RANKS.len() % SUITS.len()).unwrap_or(&"wands");
    format!("{rank}-of-{suit}")
}

/// The name that a random number stands for.
fn name(random: u64) -> String {
    let cards = CARDS as u64;
    let index = usize::try_from(random % cards).unwrap_or_default();
    let number = NUMBER_MIN + random / cards % (NUMBER_MAX - NUMBER_MIN + 1);
    format!("{}-{number}", card(index))
}

/// A name by chance.
pub fn generate() -> Result<HandlerName, Failure> {
    let random = getrandom::u64().map_err(|error| {
        Failure::new(Exit::Failure, "random", format!("the system gives no randomness: {error}"), "")
    })?;
    name(random).parse().map_err(|error: wasmcloud_wire::NameError| {
        Failure::new(Exit::Failure, "name", format!("a generated name is invalid: {error}"), "try again")
    })
}

/// So many different names, at most [`COUNT_MAX`].
pub fn generate_many(count: usize) -> Result<Vec<HandlerName>, Failure> {
    let count = count.min(COUNT_MAX);
    let mut seen = HashSet::new();
    let mut names = Vec::with_capacity(count);
    for _ in 0..TRIES_MAX {
        if names.len() == count {
            break;
        }
        let name = generate()?;
        if seen.insert(name.clone()) {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_with_every_length_of_number_is_a_handler_name() {
        let cards = CARDS as u64;
        for index in 0..cards {
            for number in [0, NUMBER_MAX - NUMBER_MIN] {
                let name = name(index + cards * number);
                assert!(name.parse::<HandlerName>().is_ok(), "{name}");
            }
        }
    }

    #[test]
    fn a_deck_has_78_different_cards() {
        let deck: HashSet<String> = (0..CARDS).map(card).collect();
        assert_eq!((CARDS, deck.len()), (78, 78));
        assert!(
            deck.contains("the-tower") && deck.contains("ace-of-wands") && deck.contains("king-of-pentacles")
        );
    }

    #[test]
    fn many_names_are_all_different() {
        let names = generate_many(2_000).unwrap();
        let different: HashSet<_> = names.iter().collect();
        assert_eq!((names.len(), different.len()), (2_000, 2_000));
    }
}
