"""stenod: live transcription that can be left running."""
