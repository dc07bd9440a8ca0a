"""What comes in: from venues, recordings and files, into archive and log, once each."""
