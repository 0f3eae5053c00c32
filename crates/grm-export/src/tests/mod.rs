//! What an export holds, what the linter finds, what an import gives back.

mod check;
mod export;
mod import;
mod made_run;
