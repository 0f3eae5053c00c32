//! Opening models wherever they lie, and writing them so that they can be opened again.

mod gguf;
mod merged;
mod opening;
mod peft;
mod tiny;
