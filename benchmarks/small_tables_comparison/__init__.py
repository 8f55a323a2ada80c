"""Parts of `small_tables.py`: tables as users have them, models of scikit-learn, and runs of `gnnfuse fit`.

Nothing here imports the models of gnnfuse: the models it is compared with use scikit-learn, timm, transformers and
torchaudio.
"""
