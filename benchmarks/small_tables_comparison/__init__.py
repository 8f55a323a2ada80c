"""Parts of `small_tables.py`: tables as users have them, what ten lines of scikit-learn make of them, and the command.

Nothing here uses the models of gnnfuse: its rivals are computed by scikit-learn, timm, transformers and torchaudio.
"""
