"""The sections of a study's chapter, each a function of the measured study; None where its rows cannot show it."""
