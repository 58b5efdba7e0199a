"""Models as files of other runtimes, each run and compared with its checkpoint once written."""
