//! What comes from the person or the script in front of the program: secrets, and the answer to a question.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use tokenhouse_model::{SecretText, secret};
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The longest line that is read as a secret, with room for the line end.
const LONGEST: u64 = secret::LONGEST as u64 + 2;

/// A secret that is not this program's own credential: from the file, else asked for at a terminal, else one line of
/// standard input.
pub fn secret(file: Option<&Path>, prompt: &str) -> Result<SecretText, Failure> {
    if let Some(path) = file {
        return secret_in(path);
    }
    if io::stdin().is_terminal() {
        return match rpassword::prompt_password(format!("{prompt}: ")) {
            Ok(text) => given(Zeroizing::new(text), "the terminal"),
            Err(error) => Err(Failure::Usage(format!("{prompt}: can't be asked for: {error}"))),
        };
    }
    first_line(&mut io::stdin().lock(), "standard input")
}

/// A new secret of a person's choice: at a terminal it is asked for twice, as nobody sees what is typed.
pub fn new_secret(file: Option<&Path>, prompt: &str) -> Result<SecretText, Failure> {
    let first = secret(file, prompt)?;
    if file.is_none() && io::stdin().is_terminal() {
        let second = secret(None, &format!("{prompt}, again"))?;
        if first.expose() != second.expose() {
            return Err(Failure::Usage("the two are not the same; nothing was changed".to_owned()));
        }
    }
    Ok(first)
}

/// The secret in a file: its first line.
pub fn secret_in(path: &Path) -> Result<SecretText, Failure> {
    let shown = path.display().to_string();
    let file = File::open(path).map_err(|error| Failure::Usage(format!("{shown} can't be read: {error}")))?;
    first_line(&mut BufReader::new(file), &shown)
}

fn first_line(from: &mut impl io::BufRead, shown: &str) -> Result<SecretText, Failure> {
    let mut line = Zeroizing::new(String::new());
    let read = from.take(LONGEST + 1).read_line(&mut line);
    read.map_err(|error| Failure::Usage(format!("{shown} can't be read as text: {error}")))?;
    if line.len() as u64 > LONGEST {
        return Err(Failure::Usage(format!("{shown} holds no secret: its first line is too long")));
    }
    given(line, shown)
}

/// Only the line end goes: a password may begin or end with a space.
fn given(line: Zeroizing<String>, shown: &str) -> Result<SecretText, Failure> {
    let text = line.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(Failure::Usage(format!("{shown} holds no secret: its first line is empty")));
    }
    Ok(SecretText::new(text.to_owned()))
}

/// Asks a question that "no" is the safe answer to. `None` where nobody can be asked.
pub fn confirmed(question: &str) -> Result<Option<bool>, Failure> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    io::stderr().write_all(format!("{question} [y/N] ").as_bytes())?;
    let mut line = String::new();
    io::stdin().lock().take(LONGEST).read_line(&mut line)?;
    Ok(Some(matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")))
}

/// The refusal of a secret among the arguments.
pub fn refused_argument(what: &str, instead: &str) -> Failure {
    Failure::Usage(format!(
        "{what} was given as an argument. Arguments can be read by every user of this machine and stay in the shell's \
         history: treat it as leaked and replace it. Give instead {instead}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &[u8]) -> Result<String, Failure> {
        first_line(&mut io::Cursor::new(text), "test").map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn only_the_first_line_counts_and_only_its_end_is_cut() {
        assert_eq!(line(b"th_u_x\n").unwrap(), "th_u_x");
        assert_eq!(line(b" with space \r\nsecond").unwrap(), " with space ");
        assert_eq!(line(b"no end").unwrap(), "no end");
        for bad in [&b""[..], b"\n", b"\xff\xfe", &vec![b'a'; 1 << 20]] {
            assert!(matches!(line(bad), Err(Failure::Usage(_))));
        }
    }

    #[test]
    fn two_secrets_can_come_on_two_lines() {
        let mut input = io::Cursor::new(b"first\nsecond\n");
        assert_eq!(first_line(&mut input, "test").unwrap().expose(), "first");
        assert_eq!(first_line(&mut input, "test").unwrap().expose(), "second");
    }
}
