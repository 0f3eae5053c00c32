//! Sounds: any rate and any number of channels to 16 kHz mono, decoded piece by piece.

use symphonia::core::codecs::audio::{AudioCodecParameters, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader, Track, TrackType};
use symphonia::core::io::{MediaSource, MediaSourceStream};
use symphonia::core::packet::Packet;
use symphonia::default::formats::{FlacReader, MpaReader, OggReader, WavReader};
use symphonia::default::get_codecs;

use crate::error::MediaError;
use crate::format::{Format, Kind};
use crate::limits::Limits;
use crate::picture::contained;
use crate::resample::Resampler;
use crate::source::{Reader, Source};
use crate::{Sound, ffmpeg, mp3, ogg};

/// Samples a second of every [`Sound`].
pub const RATE: u32 = 16_000;
/// Louder than this times full scale is no sound but a file of other numbers.
const LOUDEST: f32 = 16.0;
const RATES: std::ops::RangeInclusive<u32> = 1_000..=384_000;
const CHANNELS_MAX: usize = 64;

/// Decodes a sound, or the sound track of a clip, to one channel (the mean of all) at 16 kHz.
///
/// Sixteen-bit mono at 16 kHz comes out exactly: sample / 32,768. Refused are files whose header promises more than
/// there is, samples that are not finite, and sounds longer or shorter than the limits.
pub fn sound(source: &Source, limits: &Limits) -> Result<Sound, MediaError> {
    let format = source.format(Kind::Sound)?;
    if format.demuxer().is_some() {
        return ffmpeg::sound(source, limits);
    }
    contained(source, || {
        let (reader, promised) = open(source, format, limits)?;
        decode(source, reader, promised, limits)
    })
}

/// What a sound's header says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Heading {
    pub rate: u32,
    pub channels: usize,
    /// Samples a channel, where it is stated.
    pub samples: Option<u64>,
}

impl Heading {
    pub(crate) fn seconds(self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "seconds are for people and limits")]
        self.samples.map(|samples| samples as f64 / f64::from(self.rate))
    }

    /// Refuses what cannot be a sound or is longer than the limit.
    pub(crate) fn check(self, source: &Source, limits: &Limits) -> Result<Self, MediaError> {
        if !RATES.contains(&self.rate) {
            return Err(source.damaged(format!("it states {} samples a second", self.rate)));
        }
        if !(1..=CHANNELS_MAX).contains(&self.channels) {
            return Err(source.damaged(format!("it states {} channels", self.channels)));
        }
        match self.seconds() {
            Some(seconds) if seconds > limits.sound_seconds => Err(too_long(source, seconds, limits)),
            _ => Ok(self),
        }
    }
}

/// The header of a sound that is decoded in this process.
pub(crate) fn heading(source: &Source, format: Format, limits: &Limits) -> Result<Heading, MediaError> {
    contained(source, || Ok(open(source, format, limits)?.1))
}

/// Opens a sound for decoding, its header checked.
fn open(source: &Source, format: Format, limits: &Limits) -> Result<(Box<dyn FormatReader>, Heading), MediaError> {
    let mut input = Input { reader: source.reader(), seekable: true };
    let mut counted = None;
    if format == Format::Mp3 {
        let length = mp3::length(source.reader(), source.length()).map_err(|fault| source.damaged(fault))?;
        std::io::Seek::seek(&mut input.reader, std::io::SeekFrom::Start(length.start))
            .map_err(|error| source.damaged(error.to_string()))?;
        // From a file that can be sought, the length would be guessed from its bytes, and the sound cut there.
        input.seekable = false;
        counted = Some(length);
    }
    if format == Format::Vorbis {
        ogg::check_whole(source.reader()).map_err(|fault| source.damaged(fault))?;
    }
    let stream = MediaSourceStream::new(Box::new(input), symphonia::core::io::MediaSourceStreamOptions::default());
    let reader = reader(stream, format).map_err(|error| source.damaged(error.to_string()))?;
    let track = reader.default_track(TrackType::Audio).ok_or_else(|| source.damaged("it holds no sound"))?;
    let parameters = parameters(track).ok_or_else(|| source.damaged("it does not say how its sound is coded"))?;
    let heading = Heading {
        rate: parameters.sample_rate.unwrap_or_default(),
        channels: parameters.channels.as_ref().map_or(0, symphonia::core::audio::Channels::count),
        samples: track.num_frames.or(counted.map(|length| length.samples)),
    };
    let heading = heading.check(source, limits)?;
    Ok((reader, heading))
}

fn reader(stream: MediaSourceStream<'static>, format: Format) -> Result<Box<dyn FormatReader>, Error> {
    let options = FormatOptions::default();
    Ok(match format {
        Format::Wav => Box::new(WavReader::try_new(stream, options)?),
        Format::Mp3 => Box::new(MpaReader::try_new(stream, options)?),
        Format::Flac => Box::new(FlacReader::try_new(stream, options)?),
        _ => Box::new(OggReader::try_new(stream, options)?),
    })
}

fn parameters(track: &Track) -> Option<&AudioCodecParameters> {
    track.codec_params.as_ref()?.audio()
}

fn decode(
    source: &Source,
    mut reader: Box<dyn FormatReader>,
    heading: Heading,
    limits: &Limits,
) -> Result<Sound, MediaError> {
    let damaged = |error: Error| source.damaged(error.to_string());
    let track = reader.default_track(TrackType::Audio).expect("was there when it was opened");
    let id = track.id;
    let parameters = parameters(track).expect("were there when it was opened");
    let options = AudioDecoderOptions::default().verify(true);
    let mut decoder = get_codecs().make_audio_decoder(parameters, &options).map_err(damaged)?;
    let mut mono = Mono::new(source, heading, limits);
    let mut piece = Vec::<f32>::new();
    while let Some(packet) = next_packet(reader.as_mut()).map_err(damaged)? {
        if packet.track_id != id {
            continue;
        }
        let decoded = decoder.decode(&packet).map_err(damaged)?;
        let same = decoded.spec().rate() == heading.rate && decoded.num_planes() == heading.channels;
        if !same {
            return Err(source.damaged("its rate or its channels change on the way"));
        }
        decoded.copy_to_vec_interleaved(&mut piece);
        mono.push(&piece)?;
    }
    if decoder.finalize().verify_ok == Some(false) {
        return Err(source.damaged("its samples do not match their checksum"));
    }
    mono.finish()
}

/// The end of a file ends a sound; whether that is all of it, its promised length says, or the walk before decoding.
fn next_packet(reader: &mut dyn FormatReader) -> Result<Option<Packet>, Error> {
    match reader.next_packet() {
        Err(Error::IoError(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        other => other,
    }
}

fn too_long(source: &Source, seconds: f64, limits: &Limits) -> MediaError {
    source.over(
        format!("lasts {seconds:.0} s"),
        format!("{:.0} s of sound", limits.sound_seconds),
        "cut it into shorter ones, or raise the limit",
    )
}

/// Takes interleaved samples of all channels and makes one channel at 16 kHz of them, watching the limits.
pub(crate) struct Mono<'a> {
    source: &'a Source,
    limits: &'a Limits,
    heading: Heading,
    resampler: Option<Resampler>,
    taken: u64,
    mixed: Vec<f32>,
    samples: Vec<f32>,
}

impl<'a> Mono<'a> {
    pub(crate) fn new(source: &'a Source, heading: Heading, limits: &'a Limits) -> Self {
        let resampler = (heading.rate != RATE).then(|| Resampler::new(heading.rate, RATE));
        Self { source, limits, heading, resampler, taken: 0, mixed: Vec::new(), samples: Vec::new() }
    }

    /// `interleaved` holds whole groups of one sample a channel.
    pub(crate) fn push(&mut self, interleaved: &[f32]) -> Result<(), MediaError> {
        self.mixed.clear();
        #[expect(clippy::cast_precision_loss, reason = "at most 64 channels")]
        let share = 1.0 / self.heading.channels as f32;
        self.mixed
            .extend(interleaved.chunks_exact(self.heading.channels).map(|group| group.iter().sum::<f32>() * share));
        if let Some(place) = self.mixed.iter().position(|sample| sample.is_nan() || sample.abs() > LOUDEST) {
            let fault = format!("sample {} is {}", self.taken + place as u64, self.mixed[place]);
            return Err(self.source.damaged(fault));
        }
        self.taken += self.mixed.len() as u64;
        let so_far = Heading { samples: Some(self.taken), ..self.heading };
        so_far.check(self.source, self.limits)?;
        match &mut self.resampler {
            Some(resampler) => resampler.push(&self.mixed, &mut self.samples),
            None => self.samples.extend_from_slice(&self.mixed),
        }
        Ok(())
    }

    /// Refuses a sound that is shorter than its header promised or than the limit.
    pub(crate) fn finish(mut self) -> Result<Sound, MediaError> {
        if let Some(promised) = self.heading.samples.filter(|promised| *promised > self.taken) {
            return Err(self.source.damaged(format!("it promises {promised} samples and has {}", self.taken)));
        }
        if let Some(resampler) = &mut self.resampler {
            resampler.finish(&mut self.samples);
        }
        let least = self.limits.sound_samples_min;
        match self.samples.len() {
            short if short < least => {
                Err(self.source.short(format!("{short} samples at 16 kHz"), format!("{least} samples")))
            }
            _ => Ok(Sound { samples: self.samples }),
        }
    }
}

/// A source as symphonia reads it.
struct Input {
    reader: Reader,
    seekable: bool,
}

impl std::io::Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.reader.read(buffer)
    }
}

impl std::io::Seek for Input {
    fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
        self.reader.seek(to)
    }
}

impl MediaSource for Input {
    fn is_seekable(&self) -> bool {
        self.seekable
    }

    fn byte_len(&self) -> Option<u64> {
        self.seekable.then(|| self.reader.length())
    }
}
