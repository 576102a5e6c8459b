"""The folders of ``examples/``, used as their READMEs say."""
